<?php

declare(strict_types=1);

namespace Shop;

/** Something for sale. */
final class Item
{
    public function __construct(
        public readonly string $id,
        public readonly string $name,
        public readonly string $description,
    ) {
    }
}
