<?php

declare(strict_types=1);

namespace Shop;

/** An amount of money, as in google.type.Money. */
final class Price
{
    /**
     * @param string $currency the code in ISO 4217: three upper-case letters
     * @param int $units whole units of the currency
     * @param int $nanos billionths of a unit
     */
    public function __construct(
        public readonly string $currency,
        public readonly int $units,
        public readonly int $nanos,
    ) {
    }
}
