<?php

declare(strict_types=1);

namespace Conformance;

use Connectrpc\Conformance\V1\ConformancePayload\RequestInfo;
use Google\Protobuf\Any;
use Google\Protobuf\Internal\Message;
use Grpc\ServerContext;

/** What the service sees of a call. */
final class Observed
{
    private const TYPE_PREFIX = 'type.googleapis.com/';

    private readonly ?int $timeoutMilliseconds;

    public function __construct(private readonly ServerContext $context)
    {
        $left = $context->secondsLeft();
        $this->timeoutMilliseconds = is_finite($left) ? (int) round($left * 1000) : null;
    }

    /** @param list<Message> $requests */
    public function info(array $requests): RequestInfo
    {
        $info = self::requests($requests);
        $info->setRequestHeaders(Headers::messages($this->context->clientMetadata()));
        if ($this->timeoutMilliseconds !== null) {
            $info->setTimeoutMs($this->timeoutMilliseconds);
        }
        return $info;
    }

    /** @param list<Message> $requests */
    public static function requests(array $requests): RequestInfo
    {
        return new RequestInfo(['requests' => array_map(self::any(...), $requests)]);
    }

    public static function any(Message $message): Any
    {
        $any = new Any();
        $any->pack($message);
        return $any;
    }
}
