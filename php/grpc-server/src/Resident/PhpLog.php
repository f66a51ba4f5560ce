<?php

declare(strict_types=1);

namespace Grpc\Resident;

/** Makes php-fpm send what PHP has logged, which it would hold back until it is 8 KiB. */
final class PhpLog
{
    /** How long it may hold that back. */
    public const SECONDS = 0.01;

    private int $flushed = 0;
    private int $busyFlushed = 0;

    /**
     * @param int $busyNanoseconds for how long calls have run
     * @return bool false if it is too early, because each time takes a system call
     */
    public function flush(int $busyNanoseconds): bool
    {
        if ($busyNanoseconds === $this->busyFlushed) {
            return true;
        }
        $now = (int) hrtime(true);
        if ($now - $this->flushed < self::SECONDS * 1e9) {
            return false;
        }
        $this->flushed = $now;
        $this->busyFlushed = $busyNanoseconds;
        flush();
        return true;
    }
}
