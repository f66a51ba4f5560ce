<?php

declare(strict_types=1);

namespace Grpc;

use Google\Protobuf\Internal\Message;
use Throwable;

/** Reads the messages that a client streams. */
class ServerCallReader
{
    /** @param class-string<Message> $request_type */
    public function __construct(private readonly IncomingCall $call, private readonly string $request_type)
    {
    }

    /**
     * Waits for the next message.
     *
     * @return Message|null of the method's request type; null after the last one
     * @throws CallCancelled
     * @throws StatusException
     */
    public function read(): ?object
    {
        $message = $this->call->read();
        return $message === null ? null : self::parse($this->request_type, $message);
    }

    /**
     * Whether a message, or the end of the messages, has begun to arrive, so that read() waits at most for the rest of it.
     * Always false in a call by itself.
     */
    public function ready(): bool
    {
        return $this->call->arrived();
    }

    /**
     * @param class-string<Message> $type
     * @throws StatusException INTERNAL, as in gRPC's list of status codes
     */
    public static function parse(string $type, string $message): Message
    {
        $request = new $type();
        try {
            $request->mergeFromString($message);
        } catch (Throwable $error) {
            Log::error("cannot parse a request of type $type: {$error->getMessage()}");
            throw new StatusException(STATUS_INTERNAL, 'cannot parse the request', previous: $error);
        }
        return $request;
    }
}
