<?php

declare(strict_types=1);

namespace Grpc\Resident;

use Closure;
use Grpc\CallCancelled;
use Grpc\FrameFlags;
use Grpc\Output;

/** The answer to a call of a resident worker, in frames; that of a streaming call waits for credit. */
final class CallOutput extends Output
{
    /** A longer answer is sent in several frames. */
    private const PIECE_BYTES = 262_144;

    /** A worker that is to end waits so long for a client to take the rest of what it gets. */
    private const LAST_SECONDS = 2.0;

    /** The header fields, until the first frame. */
    private string $head = '';
    private bool $ended = false;
    private bool $inFrame = false;
    private ?Closure $onShutdown = null;
    private ?float $waitsUntil = null;

    public function __construct(
        private readonly Call $call,
        private readonly Scheduler $scheduler,
        private readonly Connection $connection,
    ) {
    }

    public function clientGone(): bool
    {
        $this->scheduler->lookForCancellation($this->call);
        return $this->call->cancelled;
    }

    public function endWithWorker(): void
    {
        $this->call->endsWithWorker = true;
    }

    public function usable(): bool
    {
        return !$this->inFrame && !$this->ended && !$this->call->cancelled;
    }

    /** Whether the proxy has been told that the call is over. */
    public function ended(): bool
    {
        return $this->ended;
    }

    public function onShutdown(Closure $end): void
    {
        $this->onShutdown = $end;
    }

    /** @param array{code: int, details: string, metadata?: array<string, list<string>>} $status for a call whose script ends before it */
    public function shutdown(array $status): void
    {
        if ($this->call->unary && $this->usable()) {
            $context = $this->call->context;
            $context->setStatus($status);
            $this->answer($context, '');
        } elseif ($this->onShutdown !== null) {
            ($this->onShutdown)($status);
        }
    }

    /** Tells the proxy that the call is over, if no answer has. */
    public function end(): void
    {
        if (!$this->ended) {
            $this->ended = true;
            $this->connection->send(Frame::END, $this->call->number, '');
        }
    }

    protected function unary(array $fields, string $message): void
    {
        $answer = implode("\r\n", $fields) . "\r\n\r\n" . $message;
        $at = 0;
        for (; strlen($answer) - $at > self::PIECE_BYTES; $at += self::PIECE_BYTES) {
            $this->connection->send(Frame::DATA, $this->call->number, substr($answer, $at, self::PIECE_BYTES));
        }
        $this->ended = true;
        $this->connection->send(Frame::END, $this->call->number, $at === 0 ? $answer : substr($answer, $at));
    }

    protected function begun(array $fields): void
    {
        $this->head = implode("\r\n", ['content-type: application/grpc', ...$fields]) . "\r\n\r\n";
    }

    protected function frame(int $flags, string $content, bool $flush): void
    {
        $this->scheduler->giveTurn($this->call);
        if ($flags !== FrameFlags::TRAILERS) {
            $this->scheduler->checkWorker($this->call);
        }
        $this->inFrame = true;
        $this->send($this->head . pack('CN', $flags, strlen($content)) . $content, $flags === FrameFlags::TRAILERS);
        $this->inFrame = false;
        $this->head = '';
        if ($flush && $this->scheduler->waitsSoon($this->call)) {
            $this->connection->defer($this->scheduler->turnBegan);
        } elseif ($flush) {
            $this->connection->flush();
        }
    }

    /** @throws CallCancelled */
    private function send(string $bytes, bool $end): void
    {
        $length = strlen($bytes);
        for ($at = 0; $length - $at > ($most = min($this->call->credit, self::PIECE_BYTES)); $at += $most) {
            if ($most === 0) {
                $this->awaitCredit();
                continue;
            }
            $this->connection->send(Frame::DATA, $this->call->number, substr($bytes, $at, $most));
            $this->call->credit -= $most;
        }
        $this->call->credit -= $length - $at;
        $this->ended = $end;
        $this->connection->send($end ? Frame::END : Frame::DATA, $this->call->number, $at === 0 ? $bytes : substr($bytes, $at));
    }

    /** @throws CallCancelled */
    private function awaitCredit(): void
    {
        if (!$this->scheduler->retired || !$this->call->endsWithWorker) {
            $this->scheduler->suspend($this->call, Call::CREDIT);
            return;
        }
        $now = hrtime(true) / 1e9;
        $this->waitsUntil ??= $now + self::LAST_SECONDS;
        if ($this->waitsUntil <= $now) {
            throw new CallCancelled('the worker is to end, and the client does not read');
        }
        $this->scheduler->awaitFor($this->call, $this->waitsUntil - $now, Call::CREDIT);
    }
}
