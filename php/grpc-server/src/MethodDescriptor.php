<?php

declare(strict_types=1);

namespace Grpc;

use Google\Protobuf\Internal\Message;

/** How a generated server stub describes one of its methods. */
final class MethodDescriptor
{
    public const UNARY_CALL = 0;
    public const SERVER_STREAMING_CALL = 1;
    public const CLIENT_STREAMING_CALL = 2;
    public const BIDI_STREAMING_CALL = 3;

    /**
     * The official class has these names, and generated stubs use them.
     *
     * @param class-string<Message> $request_type
     */
    public function __construct(
        public readonly object $service,
        public readonly string $method_name,
        public readonly string $request_type,
        public readonly int $call_type,
    ) {
    }
}
