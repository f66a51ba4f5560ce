<?php

declare(strict_types=1);

namespace Tests;

use Grpc\ServerCallReader;
use Shop\ChangeSource;

/** Tells of the same changes again and again. */
final class ChangingSource implements ChangeSource
{
    /** @param list<string> $ids */
    public function __construct(private readonly array $ids)
    {
    }

    public function open(): void
    {
    }

    public function await(?ServerCallReader $reader): array
    {
        return $this->ids;
    }

    public function close(): void
    {
    }
}
