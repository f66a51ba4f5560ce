<?php

declare(strict_types=1);

namespace Shop;

/** The last id of the previous page, in a form that is opaque to clients. */
final class PageToken
{
    private const CHECKSUM_BYTES = 6;

    public static function encode(string $lastId): string
    {
        return strtr(rtrim(base64_encode(self::checksum($lastId) . $lastId), '='), '+/', '-_');
    }

    /** @throws InvalidArgument */
    public static function decode(string $token): string
    {
        if ($token === '') {
            return '';
        }
        $bytes = (string) base64_decode(strtr($token, '-_', '+/'), true);
        $lastId = substr($bytes, self::CHECKSUM_BYTES);
        // Encoding again also refuses other base64 spellings of the same bytes.
        if ($lastId === '' || self::encode($lastId) !== $token || !mb_check_encoding($lastId, 'UTF-8')) {
            throw new InvalidArgument('page_token', 'must be the next_page_token of a response');
        }
        return $lastId;
    }

    /** Detects a truncated or invented token; it is not a secret. */
    private static function checksum(string $lastId): string
    {
        return substr(hash('sha256', "item.ListItems:$lastId", true), 0, self::CHECKSUM_BYTES);
    }
}
