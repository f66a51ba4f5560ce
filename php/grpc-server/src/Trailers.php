<?php

declare(strict_types=1);

namespace Grpc;

/** The trailers of a call, as entries of key and value: grpc-status, grpc-message, trailing metadata. */
final class Trailers
{
    /** The gRPC protocol for grpc-message: "Percent-Byte-Unencoded → 1*( %x20-%x24 / %x26-%x7E )". */
    private const ENCODED = '/[^\x20-\x24\x26-\x7E]/';

    /** @return list<array{string, string}> */
    public static function of(ServerContext $context): array
    {
        $status = $context->status();
        $entries = [['grpc-status', (string) $context->statusCode()]];
        if ($context->statusCode() !== STATUS_OK) {
            $entries[] = ['grpc-message', self::percentEncode($status['details'])];
        }
        foreach ([$context->trailingMetadata(), $status['metadata'] ?? []] as $metadata) {
            if ($metadata !== []) {
                array_push($entries, ...Metadata::encode($metadata));
            }
        }
        return $entries;
    }

    private static function percentEncode(string $text): string
    {
        return preg_replace_callback(
            self::ENCODED,
            static fn (array $byte): string => sprintf('%%%02X', ord($byte[0])),
            $text,
        );
    }
}
