<?php

declare(strict_types=1);

namespace Tests;

use Grpc\ServerCallReader;
use PDOException;
use Shop\ChangeSource;

/** Changes in a database that cannot be opened. */
final class FailingSource implements ChangeSource
{
    public int $attempts = 0;

    public function __construct(private readonly PDOException $error)
    {
    }

    public function open(): void
    {
        $this->attempts++;
        throw $this->error;
    }

    public function await(?ServerCallReader $reader): array
    {
        return [];
    }

    public function close(): void
    {
    }
}
