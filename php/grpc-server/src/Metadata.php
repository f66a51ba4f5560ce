<?php

declare(strict_types=1);

namespace Grpc;

use InvalidArgumentException;

/** Converts metadata between key => values in PHP and entries on the wire, where -bin values are base64. */
final class Metadata
{
    /** The key of a serialized google.rpc.Status in trailing metadata. */
    public const STATUS_DETAILS = 'grpc-status-details-bin';

    /** Names of header fields that belong to the CGI answer or to a connection. */
    private const RESERVED_KEYS = [
        'status', 'location', 'content-type', 'content-length', 'content-encoding', 'content-range', 'connection', 'host',
        'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
    ];

    private const KEY_CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789-_.';
    private const VALUE_CHARACTERS = ' !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`'
        . 'abcdefghijklmnopqrstuvwxyz{|}~';

    /**
     * @param string $lines the meta-variable GRPC_METADATA
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
     * @throws InvalidArgumentException if the proxy would drop or change an entry
     */
    public static function check(array $metadata): void
    {
        foreach ($metadata as $key => $values) {
            self::checkKey((string) $key);
            if (!is_array($values)) {
                throw new InvalidArgumentException("metadata $key: the values must be a list");
            }
            $binary = str_ends_with((string) $key, '-bin');
            foreach ($values as $value) {
                if (!is_string($value)) {
                    throw new InvalidArgumentException("metadata $key: a value must be a string");
                }
                if (!$binary && strspn($value, self::VALUE_CHARACTERS) !== strlen($value)) {
                    throw new InvalidArgumentException("metadata $key: must be printable ASCII, unless the key ends in -bin");
                }
            }
        }
    }

    private static function checkKey(string $key): void
    {
        if ($key === '' || strspn($key, self::KEY_CHARACTERS) !== strlen($key)) {
            throw new InvalidArgumentException("the metadata key \"$key\" must consist of 0-9 a-z _ - .");
        }
        $reserved = str_starts_with($key, 'grpc-') && $key !== self::STATUS_DETAILS;
        if ($reserved || in_array($key, self::RESERVED_KEYS, true)) {
            throw new InvalidArgumentException("the metadata key $key is reserved");
        }
    }
}
