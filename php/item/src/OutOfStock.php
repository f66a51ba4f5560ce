<?php

declare(strict_types=1);

namespace Shop;

use RuntimeException;

/** There are too few pieces of some items. */
final class OutOfStock extends RuntimeException
{
    /** @param non-empty-list<string> $ids */
    public function __construct(public readonly array $ids)
    {
        parent::__construct('out of stock: ' . Names::of('item', $ids));
    }
}
