<?php

declare(strict_types=1);

namespace Shop;

/** Checks the fields of requests. */
final class Check
{
    /** Error messages, which are sent in a header field, repeat the id. */
    private const MAX_ID_BYTES = 255;

    /** Of ids that this service or its callers make. */
    private const MAX_NEW_ID_BYTES = 128;
    private const MAX_IDS = 1000;
    private const MAX_NAME_BYTES = 256;
    private const MAX_DESCRIPTION_BYTES = 4096;
    private const MAX_NANOS = 999_999_999;

    /** @throws InvalidArgument */
    public static function id(string $field, string $id, int $maxBytes = self::MAX_ID_BYTES): void
    {
        if (!preg_match('/^[A-Za-z0-9]/', $id)) {
            throw new InvalidArgument($field, 'must begin with a letter or a digit');
        }
        self::text($field, $id, $maxBytes);
    }

    /**
     * @param list<string> $ids
     * @throws InvalidArgument
     */
    public static function ids(string $field, array $ids): void
    {
        if (count($ids) > self::MAX_IDS) {
            throw new InvalidArgument($field, sprintf('must not be more than %d', self::MAX_IDS));
        }
        foreach ($ids as $i => $id) {
            self::id("{$field}[$i]", $id);
        }
    }

    /** @throws InvalidArgument */
    public static function newId(string $field, string $id): void
    {
        self::id($field, $id, self::MAX_NEW_ID_BYTES);
    }

    /**
     * The fields of an item besides its id.
     *
     * @throws InvalidArgument
     */
    public static function item(Item $item): void
    {
        self::text('item.name', $item->name, self::MAX_NAME_BYTES);
        self::text('item.description', $item->description, self::MAX_DESCRIPTION_BYTES);
        if ($item->quantity !== null && $item->quantity < 0) {
            throw new InvalidArgument('item.quantity', 'must not be negative');
        }
        if ($item->price !== null) {
            self::price($item->price);
        }
    }

    /** @throws InvalidArgument */
    private static function price(Price $price): void
    {
        if (!preg_match('/^[A-Z]{3}$/D', $price->currency)) {
            throw new InvalidArgument('item.price.currency_code', 'must be three upper-case letters, as in ISO 4217');
        }
        if ($price->units < 0) {
            throw new InvalidArgument('item.price.units', 'must not be negative');
        }
        if ($price->nanos < 0 || $price->nanos > self::MAX_NANOS) {
            throw new InvalidArgument('item.price.nanos', sprintf('must be between 0 and %d', self::MAX_NANOS));
        }
    }

    /** @throws InvalidArgument */
    private static function text(string $field, string $text, int $maxBytes): void
    {
        if (strlen($text) > $maxBytes) {
            throw new InvalidArgument($field, "must not be longer than $maxBytes bytes");
        }
        // PHP's protobuf runtime accepts both; PostgreSQL rejects them.
        if (!mb_check_encoding($text, 'UTF-8') || str_contains($text, "\0")) {
            throw new InvalidArgument($field, 'must be UTF-8 without NUL');
        }
    }
}
