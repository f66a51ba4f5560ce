<?php

declare(strict_types=1);

namespace Shop;

use RuntimeException;

/** The name of the resource is taken. */
final class AlreadyExists extends RuntimeException
{
    public function __construct(string $name)
    {
        parent::__construct("already exists: $name");
    }
}
