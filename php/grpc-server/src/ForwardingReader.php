<?php

declare(strict_types=1);

namespace Grpc;

/**
 * Reads from another reader: an interceptor that looks at the requests of a stream, or changes them, extends this and
 * overrides read().
 */
class ForwardingReader extends ServerCallReader
{
    // Without the parent's, which holds a call: whatever it has, the other reader does.
    public function __construct(private readonly ServerCallReader $reader)
    {
    }

    public function read(): ?object
    {
        return $this->reader->read();
    }

    public function ready(): bool
    {
        return $this->reader->ready();
    }
}
