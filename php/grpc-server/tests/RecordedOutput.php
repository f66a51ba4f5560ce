<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Closure;
use Grpc\FrameFlags;
use Grpc\RequestOutput;

/** Records the answer instead of sending it to the proxy. */
final class RecordedOutput extends RequestOutput
{
    /** @var list<string> the header fields that PHP would send: those that were set last */
    public array $fields = [];
    public string $bytes = '';
    public int $flushes = 0;

    /** The shutdown function, for a test to run. */
    public Closure $end;

    /** The number of flushes after which the client is gone. */
    public int $flushesUntilGone = PHP_INT_MAX;

    /** @return list<array{int, string}> flags and content of each frame */
    public function frames(): array
    {
        return Frames::decode($this->bytes);
    }

    /** @return list<string> empty unless the last frame is a trailers frame */
    public function trailerLines(): array
    {
        $frames = $this->frames();
        [$flags, $lines] = end($frames);
        return $flags === FrameFlags::TRAILERS ? explode("\r\n", rtrim($lines)) : [];
    }

    public function onShutdown(Closure $end): void
    {
        $this->end = $end;
    }

    protected function headersSent(): bool
    {
        return false;
    }

    protected function printedAt(): ?string
    {
        return null;
    }

    protected function sendFields(array $fields): void
    {
        $this->fields = $fields;
    }

    protected function send(string $first, string $second): void
    {
        $this->bytes .= $first . $second;
    }

    protected function flush(): void
    {
        $this->flushes++;
    }

    protected function aborted(): bool
    {
        return $this->flushes >= $this->flushesUntilGone;
    }

    protected function capture(): void
    {
    }

    protected function release(): bool
    {
        return true;
    }
}
