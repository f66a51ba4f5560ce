<?php

declare(strict_types=1);

namespace Grpc;

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
        if (!is_resource($stream)) {
            throw new InvalidArgumentException('not an open stream');
        }
        $seconds = $seconds === null ? INF : max(0.0, $seconds);
        $scheduler = Scheduler::active();
        $call = $scheduler?->current;
        if ($scheduler === null || $call === null) {
            return self::select($stream, $seconds);
        }
        if (!self::select($stream, 0.0)) {
            return $scheduler->await($seconds, $stream);
        }
        $scheduler->giveTurn($call);
        return true;
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
