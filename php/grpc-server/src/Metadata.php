<?php

declare(strict_types=1);

namespace Grpc;

use InvalidArgumentException;

/** Metadata between its form in PHP, key => values, and its form on the wire, where -bin values are base64. */
final class Metadata
{
    /** Trailing metadata of this key carries a serialized google.rpc.Status. */
    public const STATUS_DETAILS = 'grpc-status-details-bin';

    /** Header fields of the CGI answer itself, or of a connection: no metadata can have these names. */
    private const RESERVED_KEYS = [
        'status', 'location', 'content-type', 'content-length', 'content-encoding', 'connection', 'host', 'keep-alive',
        'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
    ];

    private const KEY_CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789-_.';
    private const VALUE_CHARACTERS = ' !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`'
        . 'abcdefghijklmnopqrstuvwxyz{|}~';

    /**
     * @param string $lines GRPC_METADATA
     * @return array<string, list<string>>
     */
    public static function decode(string $lines): array
    {
        $metadata = [];
        foreach (explode("\n", $lines) as $line) {
            $entry = explode(': ', $line, 2);
            if (isset($entry[1])) {
                [$key, $value] = $entry;
                $metadata[$key][] = str_ends_with($key, '-bin') ? (string) base64_decode($value) : $value;
            }
        }
        return $metadata;
    }

    /**
     * @param array<string, list<string>> $metadata
     * @return list<array{string, string}>
     */
    public static function encode(array $metadata): array
    {
        $entries = [];
        foreach ($metadata as $key => $values) {
            $binary = str_ends_with((string) $key, '-bin');
            foreach ($values as $value) {
                $entries[] = [(string) $key, $binary ? base64_encode($value) : $value];
            }
        }
        return $entries;
    }

    /**
     * @param array<mixed> $metadata
     * @throws InvalidArgumentException if a client would not get it as it is
     */
    public static function check(array $metadata): void
    {
        foreach ($metadata as $key => $values) {
            self::checkKey((string) $key);
            if (!is_array($values)) {
                throw new InvalidArgumentException("metadata $key: a list of values is needed");
            }
            $binary = str_ends_with((string) $key, '-bin');
            foreach ($values as $value) {
                if (!is_string($value)) {
                    throw new InvalidArgumentException("metadata $key: a value must be a string");
                }
                if (!$binary && strspn($value, self::VALUE_CHARACTERS) !== strlen($value)) {
                    throw new InvalidArgumentException("metadata $key: printable ASCII is needed, or a key that ends in -bin");
                }
            }
        }
    }

    private static function checkKey(string $key): void
    {
        if ($key === '' || strspn($key, self::KEY_CHARACTERS) !== strlen($key)) {
            throw new InvalidArgumentException("the metadata key \"$key\" is not of 0-9 a-z _ - .");
        }
        $reserved = str_starts_with($key, 'grpc-') && $key !== self::STATUS_DETAILS;
        if ($reserved || in_array($key, self::RESERVED_KEYS, true)) {
            throw new InvalidArgumentException("the metadata key $key is reserved");
        }
    }
}
