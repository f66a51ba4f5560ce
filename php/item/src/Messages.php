<?php

declare(strict_types=1);

namespace Shop;

use Google\Type\Money;
use Item\Item as ItemMessage;
use Item\ReservedItem;

/** Converts between items and their messages. */
final class Messages
{
    public static function message(Item $item): ItemMessage
    {
        // The constructor would take three times as long.
        $message = (new ItemMessage())->setId($item->id)->setName($item->name)->setDescription($item->description);
        if ($item->quantity !== null) {
            $message->setQuantity($item->quantity);
        }
        if ($item->price !== null) {
            $price = (new Money())->setCurrencyCode($item->price->currency)->setUnits($item->price->units);
            $message->setPrice($price->setNanos($item->price->nanos));
        }
        return $message;
    }

    /**
     * @param ItemMessage|null $message of the field "item" of a request
     * @throws InvalidArgument
     */
    public static function item(?ItemMessage $message): Item
    {
        if ($message === null) {
            throw new InvalidArgument('item', 'must be set');
        }
        $price = $message->getPrice();
        return new Item(
            $message->getId(),
            $message->getName(),
            $message->getDescription(),
            $message->hasQuantity() ? $message->getQuantity() : null,
            $price === null ? null : new Price($price->getCurrencyCode(), (int) $price->getUnits(), $price->getNanos()),
        );
    }

    /**
     * @param iterable<ReservedItem> $messages
     * @return list<array{string, int}> the id and the quantity of each
     */
    public static function lines(iterable $messages): array
    {
        $lines = [];
        foreach ($messages as $message) {
            $lines[] = [$message->getId(), $message->getQuantity()];
        }
        return $lines;
    }
}
