<?php

declare(strict_types=1);

namespace App;

use Closure;
use Google\Protobuf\Internal\Message;
use Grpc\InterceptedCall;

/** Takes the caller's name from metadata that a gateway sets: php/grpc-server/README.md has bearer tokens. */
final class Authentication
{
    public function __construct(private readonly Caller $caller)
    {
    }

    /** @param Closure(InterceptedCall): ?Message $next */
    public function __invoke(InterceptedCall $call, Closure $next): ?Message
    {
        $name = $call->context->clientMetadata()['x-caller'][0] ?? null;
        if ($name === null) {
            return $next($call);
        }
        $call->context->setValue('caller', $name);
        if ($call->reader === null && $call->writer === null) {
            // Unary calls run one after the other. A streaming call runs beside them, and would show them its caller.
            $this->caller->name = $name;
        }
        return $next($call);
    }
}
