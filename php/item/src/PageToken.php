<?php

declare(strict_types=1);

namespace Shop;

/** Says, in a form that means nothing to a client, after which id a page begins. */
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
        // Encoding again also refuses the other spellings that base64 has for the same bytes.
        if ($lastId === '' || self::encode($lastId) !== $token || !mb_check_encoding($lastId, 'UTF-8')) {
            throw new InvalidArgument('page_token', 'must be the next_page_token of an answer');
        }
        return $lastId;
    }

    /** Tells a token that was cut or made up from one that was given; it keeps no secret. */
    private static function checksum(string $lastId): string
    {
        return substr(hash('sha256', "item.ListItems:$lastId", true), 0, self::CHECKSUM_BYTES);
    }
}
