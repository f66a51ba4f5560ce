<?php

declare(strict_types=1);

namespace Grpc;

use InvalidArgumentException;

/** Converts metadata between key => values in PHP and entries on the wire, where -bin values are base64. */
final class Metadata
{
    /** The key of a serialized google.rpc.Status in trailing metadata. */
    public const STATUS_DETAILS = 'grpc-status-details-bin';

    /** The key by which a server delays or forbids a retry (gRFC A6), in trailing metadata. */
    private const RETRY_PUSHBACK = 'grpc-retry-pushback-ms';

    /** The proxy refuses an answer with more than 64 KiB of header fields: not even its code would arrive. */
    private const MAX_BYTES = 16_384;

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
    public static function checkInitial(array $metadata): void
    {
        self::check($metadata, []);
    }

    /**
     * @param array<mixed> $metadata
     * @throws InvalidArgumentException if the proxy would drop or change an entry
     */
    public static function checkTrailing(array $metadata): void
    {
        self::check($metadata, [self::STATUS_DETAILS, self::RETRY_PUSHBACK]);
    }

    /** @param array<string, list<string>> $metadata */
    public static function tooLarge(array $metadata): bool
    {
        $bytes = 0;
        foreach (self::encode($metadata) as [$key, $value]) {
            $bytes += strlen($key) + strlen($value) + 4;
        }
        return $bytes > self::MAX_BYTES;
    }

    /**
     * @param array<mixed> $metadata
     * @param list<string> $allowed reserved keys
     */
    private static function check(array $metadata, array $allowed): void
    {
        foreach ($metadata as $key => $values) {
            self::checkKey((string) $key, $allowed);
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
        /** @var array<string, list<string>> $metadata */
        if (self::tooLarge($metadata)) {
            throw new InvalidArgumentException('the metadata has more than ' . self::MAX_BYTES . ' bytes');
        }
    }

    /** @param list<string> $allowed */
    private static function checkKey(string $key, array $allowed): void
    {
        if ($key === '' || strspn($key, self::KEY_CHARACTERS) !== strlen($key)) {
            throw new InvalidArgumentException("the metadata key \"$key\" must consist of 0-9 a-z _ - .");
        }
        $reserved = str_starts_with($key, 'grpc-') && !in_array($key, $allowed, true);
        if ($reserved || in_array($key, self::RESERVED_KEYS, true)) {
            throw new InvalidArgumentException("the metadata key $key is reserved");
        }
    }
}
