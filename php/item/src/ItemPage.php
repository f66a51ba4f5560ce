<?php

declare(strict_types=1);

namespace Shop;

/** A page of items, in the order of their ids. */
final class ItemPage
{
    /** @param list<Item> $items */
    public function __construct(
        public readonly array $items,
        public readonly string $nextPageToken,
    ) {
    }
}
