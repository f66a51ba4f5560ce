<?php

declare(strict_types=1);

namespace Shop;

use InvalidArgumentException;

/** A field of the request is invalid. */
final class InvalidArgument extends InvalidArgumentException
{
    public function __construct(public readonly string $field, public readonly string $description)
    {
        parent::__construct("invalid $field: $description");
    }
}
