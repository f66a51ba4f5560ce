<?php

declare(strict_types=1);

namespace Grpc;

use Grpc\Resident\Call;
use Grpc\Resident\Scheduler;
use Grpc\Resident\Selection;
use InvalidArgumentException;

/**
 * Waits without holding a resident worker: other calls run meanwhile, and a wait ends with CallCancelled when the call is
 * cancelled. In a call by itself, and outside of calls, these functions block.
 */
final class Wait
{
    /**
     * @throws CallCancelled
     */
    public static function sleep(float $seconds): void
    {
        $scheduler = Scheduler::active();
        if ($scheduler !== null) {
            $scheduler->await(max(0.0, $seconds));
            return;
        }
        for ($end = hrtime(true) / 1e9 + $seconds; ($left = $end - hrtime(true) / 1e9) > 0;) {
            usleep(max(0, (int) ceil(min($left, 1.0) * 1e6)));
        }
    }

    /**
     * Waits until a stream has something to read or is at its end: a socket, a pipe, pg_socket(). Not a plain file.
     *
     * @param resource $stream
     * @param float|null $seconds how long it waits at most
     * @return bool false if the time has passed
     * @throws CallCancelled
     */
    public static function readable($stream, ?float $seconds = null): bool
    {
        return self::first(stream: is_resource($stream) ? $stream : throw self::notOpen(), seconds: $seconds);
    }

    /**
     * Waits for the first of several things: a message of the call's client or the end of its messages, a signal, or a stream
     * as of readable(). In a call by itself, only the stream and the time can end the wait.
     *
     * @param ServerCallReader|null $reader that of the call
     * @param resource|null $stream
     * @param float|null $seconds how long it waits at most
     * @return bool false if the time has passed
     * @throws CallCancelled
     */
    public static function first(
        ?ServerCallReader $reader = null,
        ?Signal $signal = null,
        $stream = null,
        ?float $seconds = null,
    ): bool {
        if ($stream !== null && !is_resource($stream)) {
            throw self::notOpen();
        }
        $seconds = $seconds === null ? INF : max(0.0, $seconds);
        $scheduler = Scheduler::active();
        $call = $scheduler?->current;
        if ($scheduler === null || $call === null) {
            return self::block($stream, $seconds);
        }
        if ($reader?->ready() || ($stream !== null && self::select($stream, 0.0))) {
            $scheduler->giveTurn($call);
            return true;
        }
        $signal?->add($call->number, static fn (): mixed => $scheduler->wake($call, Call::SIGNAL));
        try {
            return $scheduler->await($seconds, $stream, Call::SIGNAL | ($reader === null ? 0 : Call::INPUT));
        } finally {
            $signal?->remove($call->number);
        }
    }

    private static function notOpen(): InvalidArgumentException
    {
        return new InvalidArgumentException('not an open stream');
    }

    /** @param resource|null $stream */
    private static function block($stream, float $seconds): bool
    {
        if ($stream !== null) {
            return self::select($stream, $seconds);
        }
        if ($seconds === INF) {
            throw new InvalidArgumentException('nothing could end this wait');
        }
        self::sleep($seconds);
        return false;
    }

    /** @param resource $stream */
    private static function select($stream, float $seconds): bool
    {
        $end = hrtime(true) / 1e9 + $seconds;
        do {
            $readable = [$stream];
            $writable = null;
            $left = $end - hrtime(true) / 1e9;
            $ready = Selection::wait($readable, $writable, $left) === 1;
        } while (!$ready && $left > 0.0);
        return $ready;
    }
}
