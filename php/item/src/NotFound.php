<?php

declare(strict_types=1);

namespace Shop;

use RuntimeException;

/** The named resource does not exist. */
final class NotFound extends RuntimeException
{
    public function __construct(string $name)
    {
        parent::__construct("not found: $name");
    }
}
