<?php

declare(strict_types=1);

namespace Shop;

/** Something for sale. */
final class Item
{
    /**
     * @param int|null $quantity the pieces that can be ordered; null if they are not counted
     * @param Price|null $price of a piece; null if it is not known
     */
    public function __construct(
        public readonly string $id,
        public readonly string $name,
        public readonly string $description,
        public readonly ?int $quantity = null,
        public readonly ?Price $price = null,
    ) {
    }
}
