<?php

declare(strict_types=1);

namespace Conformance;

use Connectrpc\Conformance\V1\ConformancePayload\RequestInfo;
use Connectrpc\Conformance\V1\Error;
use Grpc\StatusException;

/** The error that a test asks for. */
final class Failure
{
    /** @param RequestInfo|null $info added to the details */
    public static function of(Error $error, ?RequestInfo $info): StatusException
    {
        $details = iterator_to_array($error->getDetails());
        if ($info !== null) {
            $details[] = Observed::any($info);
        }
        return new StatusException($error->getCode(), $error->getMessage(), $details);
    }
}
