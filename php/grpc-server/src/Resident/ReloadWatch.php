<?php

declare(strict_types=1);

namespace Grpc\Resident;

/** Notices a reload of php-fpm whose signal came while a call ran: it interrupts only what waits. */
final class ReloadWatch
{
    private const SECONDS = 0.1;

    private readonly ListeningSocket $socket;
    private float $looked = 0.0;

    /** For how long calls had run then. */
    private int $busyNanoseconds = 0;

    public function __construct()
    {
        $this->socket = new ListeningSocket();
    }

    /** How long the worker may wait, at most $most: not long once calls have run since the last look. */
    public function secondsToWait(float $most, int $busyNanoseconds): float
    {
        return $busyNanoseconds === $this->busyNanoseconds ? $most : min($most, self::SECONDS);
    }

    /** Looks from time to time. */
    public function hasReloaded(int $busyNanoseconds): bool
    {
        $now = hrtime(true) / 1e9;
        if ($now - $this->looked < self::SECONDS) {
            return false;
        }
        $this->looked = $now;
        $this->busyNanoseconds = $busyNanoseconds;
        return $this->socket->closed();
    }
}
