<?php

declare(strict_types=1);

namespace Grpc;

use Google\Protobuf\Internal\Message;

/**
 * Writes to another writer: an interceptor that looks at the answers of a stream, or changes them, extends this and
 * overrides write(), through which start() and finish() pass their message too, and writeSerialized() if its service calls that.
 */
class ForwardingWriter extends ServerCallWriter
{
    // Without the parent's, which holds the output of a call: whatever it has, the other writer does.
    public function __construct(private readonly ServerCallWriter $writer)
    {
    }

    public function start(?Message $data = null, array $options = []): void
    {
        if ($data !== null) {
            $this->write($data, $options);
            return;
        }
        $this->writer->start();
    }

    public function write(Message $data, array $options = []): void
    {
        $this->writer->write($data, $options);
    }

    public function writeSerialized(string $message, array $options = []): void
    {
        $this->writer->writeSerialized($message, $options);
    }

    public function finish(?Message $data = null, array $options = []): void
    {
        if ($data !== null) {
            $this->write($data, ['flags' => ($options['flags'] ?? 0) | WRITE_BUFFER_HINT]);
        }
        $this->writer->finish();
    }

    public function finishOnShutdown(?array $status = null): void
    {
        $this->writer->finishOnShutdown($status);
    }

    public function finished(): bool
    {
        return $this->writer->finished();
    }
}
