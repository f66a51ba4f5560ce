<?php

declare(strict_types=1);

namespace Shop;

/** Takes the items of orders from the stock, and puts them back, independently of gRPC. */
final class ReservationService
{
    private const MAX_ITEMS = 2000;

    public function __construct(private readonly ReservationStore $store)
    {
    }

    /**
     * @param list<array{string, int}> $lines the id of an item, and its quantity
     * @throws InvalidArgument
     * @throws NotFound
     * @throws OutOfStock
     * @throws Outdated
     */
    public function reserveItems(string $orderId, int $revision, array $lines): void
    {
        Check::newId('order_id', $orderId);
        if ($revision < 1) {
            throw new InvalidArgument('revision', 'must be at least 1');
        }
        if (count($lines) > self::MAX_ITEMS) {
            throw new InvalidArgument('items', sprintf('must not be more than %d', self::MAX_ITEMS));
        }
        $quantities = [];
        foreach ($lines as $i => [$id, $quantity]) {
            Check::id("items[$i].id", $id);
            if (isset($quantities[$id])) {
                throw new InvalidArgument("items[$i].id", 'must not be repeated');
            }
            if ($quantity < 1) {
                throw new InvalidArgument("items[$i].quantity", 'must be at least 1');
            }
            $quantities[$id] = $quantity;
        }
        $this->store->reserve($orderId, $revision, $quantities);
    }

    /** @throws InvalidArgument */
    public function releaseItems(string $orderId): void
    {
        Check::newId('order_id', $orderId);
        $this->store->release($orderId);
    }
}
