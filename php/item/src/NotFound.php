<?php

declare(strict_types=1);

namespace Shop;

use RuntimeException;

/** The named resources do not exist. */
final class NotFound extends RuntimeException
{
    public function __construct(string ...$ids)
    {
        parent::__construct('not found: ' . Names::of('item', $ids));
    }
}
