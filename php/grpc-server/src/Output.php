<?php

declare(strict_types=1);

namespace Grpc;

use Closure;

/** The answer to the proxy: header fields, and then the message of a unary call, or the frames of a streaming one. */
abstract class Output
{
    /** Whether frames may follow. */
    private bool $started = false;

    public function answer(ServerContext $context, string $message): void
    {
        $fields = $this->initialFields($context);
        foreach (Trailers::of($context) as [$key, $value]) {
            $fields[] = str_starts_with($key, 'grpc-') ? "$key: $value" : "grpc-trailer-$key: $value";
        }
        $this->unary($fields, $message);
    }

    /** Starts the answer to a streaming call. The header fields are sent with the first frame. */
    public function start(ServerContext $context): void
    {
        $this->begun($this->initialFields($context));
        $this->started = true;
    }

    /** @throws CallCancelled */
    public function message(string $message, bool $compress, bool $flush): void
    {
        $this->frame($compress ? FrameFlags::COMPRESSED : 0, $message, $flush);
    }

    /**
     * Flushes the header fields before there is a message.
     *
     * @throws CallCancelled
     */
    public function flushFields(): void
    {
        $this->frame(FrameFlags::NOOP, '', true);
    }

    /**
     * Sends a load report of the server at once. Until a stream has started, it is one of the header fields.
     *
     * @throws CallCancelled
     */
    public function serverLoad(LoadReport $report): void
    {
        if ($this->started && $this->usable()) {
            $this->frame(FrameFlags::SERVER_LOAD, $report->serializeToString(), true);
        }
    }

    /** @throws CallCancelled */
    public function trailers(ServerContext $context): void
    {
        $lines = '';
        foreach (Trailers::of($context) as [$key, $value]) {
            $lines .= "$key: $value\r\n";
        }
        $this->frame(FrameFlags::TRAILERS, $lines, true);
    }

    abstract public function clientGone(): bool;

    /** As ServerContext::endWithWorker(). */
    public function endWithWorker(): void
    {
    }

    /** Whether another frame can be sent: the last one is complete, and the client is not gone. */
    abstract public function usable(): bool;

    /**
     * Runs $end when the script ends, even by exit or by a fatal error.
     *
     * @param Closure(array{code: int, details: string}=): void $end takes a status for the call
     */
    abstract public function onShutdown(Closure $end): void;

    /** @param list<string> $fields header fields with the status */
    abstract protected function unary(array $fields, string $message): void;

    /** @param list<string> $fields */
    abstract protected function begun(array $fields): void;

    /** @throws CallCancelled */
    abstract protected function frame(int $flags, string $content, bool $flush): void;

    /** @return list<string> */
    protected function initialFields(ServerContext $context): array
    {
        $fields = [];
        if ($context->compression() !== 'identity') {
            $fields[] = 'grpc-encoding: ' . $context->compression();
        }
        $load = $context->serverLoad();
        if ($load !== null) {
            $fields[] = LoadReport::SERVER . ': ' . base64_encode($load->serializeToString());
        }
        if ($context->initialMetadata() !== []) {
            foreach (Metadata::encode($context->initialMetadata()) as [$key, $value]) {
                $fields[] = "$key: $value";
            }
        }
        return $fields;
    }
}
