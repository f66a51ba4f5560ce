<?php

declare(strict_types=1);

namespace Shop;

use PDOException;

/** Repeats with pauses, but not for long, what fails because the database is unreachable or busy. */
final class Patience
{
    private const PAUSE_SECONDS = 1.0;

    private ?float $failingSince = null;
    private float $retryAt = 0.0;
    private ?PDOException $error = null;

    /** @param float $seconds how long the database may be unreachable or busy */
    public function __construct(private readonly float $seconds)
    {
    }

    /** After a success, or when nobody waits any more. */
    public function reset(): void
    {
        $this->failingSince = null;
        $this->retryAt = 0.0;
        $this->error = null;
    }

    /** @throws PDOException if the error has another cause, or the database has been unreachable or busy for too long */
    public function failed(PDOException $error): void
    {
        $now = hrtime(true) / 1e9;
        $since = $this->failingSince ?? $now;
        if ($this->failingSince === null) {
            error_log('database error: ' . $error->getMessage());
            $this->failingSince = $now;
        }
        $this->retryAt = $now + self::PAUSE_SECONDS;
        $mayPass = Database::isUnreachable($error) || Database::isBusy($error);
        if (!$mayPass || $now - $since > $this->seconds) {
            $this->error = $error;
            throw $error;
        }
    }

    /** @throws PDOException until the next attempt if the last one has failed for good */
    public function check(): void
    {
        $error = $this->error;
        if ($error !== null && $this->pause() > 0.0) {
            throw $error;
        }
    }

    /** The seconds until the next attempt. */
    public function pause(): float
    {
        return max(0.0, $this->retryAt - hrtime(true) / 1e9);
    }
}
