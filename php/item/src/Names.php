<?php

declare(strict_types=1);

namespace Shop;

/** The names of resources in an error message. */
final class Names
{
    /** More would not fit into the header field that the message is sent in. */
    public const MAX = 20;

    /** @param array<string> $ids */
    public static function of(string $kind, array $ids): string
    {
        $named = array_map(static fn (string $id): string => "$kind/$id", array_slice($ids, 0, self::MAX));
        $more = count($ids) - count($named);
        return implode(', ', $named) . ($more > 0 ? " and $more more" : '');
    }
}
