<?php

declare(strict_types=1);

namespace Grpc;

/** The trailers of a call, as entries of key and value: grpc-status, grpc-message, trailing metadata. */
final class Trailers
{
    /**
     * The gRPC protocol for grpc-message: "Percent-Byte-Unencoded → 1*( %x20-%x24 / %x26-%x7E )". Spaces at the ends of a
     * header field are lost.
     */
    private const ENCODED = '/[^\x20-\x24\x26-\x7E]|\A | \z/';

    /** The longest grpc-message, percent-encoded. Clients limit all fields together, many of them to 8 KiB. */
    private const MESSAGE_BYTES = 4096;

    private const CUT = ' [truncated]';

    /** @return list<array{string, string}> */
    public static function of(ServerContext $context): array
    {
        $status = $context->status() ?? Status::ok();
        $entries = [['grpc-status', (string) $status['code']]];
        if ($status['code'] !== STATUS_OK) {
            $entries[] = ['grpc-message', self::percentEncode(self::cut($status['details']))];
        }
        foreach ([$context->trailingMetadata(), $status['metadata'] ?? []] as $metadata) {
            if ($metadata !== []) {
                array_push($entries, ...Metadata::encode($metadata));
            }
        }
        $load = $context->loadReport();
        if ($load !== null) {
            $entries[] = [LoadReport::CALL, base64_encode($load->serializeToString())];
        }
        return $entries;
    }

    /** Cuts a message at a character if it is too long on the wire. */
    public static function cut(string $text): string
    {
        // No byte becomes shorter on the wire.
        $encoded = self::percentEncode(substr($text, 0, self::MESSAGE_BYTES + 1));
        if (strlen($encoded) <= self::MESSAGE_BYTES) {
            return $text;
        }
        $encoded = substr($encoded, 0, self::MESSAGE_BYTES - strlen(self::CUT));
        $whole = rawurldecode((string) preg_replace('/%.?\z/', '', $encoded));
        // The last character may be incomplete.
        return (string) preg_replace('/[\xC0-\xFF][\x80-\xBF]*\z/', '', $whole) . self::CUT;
    }

    private static function percentEncode(string $text): string
    {
        return (string) preg_replace_callback(
            self::ENCODED,
            /** @param array<string> $byte */
            static fn (array $byte): string => sprintf('%%%02X', ord($byte[0] ?? '')),
            $text,
        );
    }
}
