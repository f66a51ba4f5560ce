<?php

declare(strict_types=1);

namespace Grpc;

/** What the proxy says of a call: CGI meta-variables, decoded. The grpc extension has a class Call already. */
final class IncomingCall
{
    /** @param array<string, list<string>> $metadata */
    private function __construct(
        public readonly string $method,
        public readonly string $host,
        public readonly array $metadata,
    ) {
    }

    /** @param array<string, mixed> $variables as in $_SERVER */
    public static function fromVariables(array $variables): self
    {
        $uri = (string) ($variables['REQUEST_URI'] ?? '');
        return new self(
            explode('?', $uri, 2)[0],
            (string) ($variables['HTTP_HOST'] ?? $variables['SERVER_NAME'] ?? ''),
            self::decodeMetadata((string) ($variables['GRPC_METADATA'] ?? '')),
        );
    }

    /** @return array<string, list<string>> */
    private static function decodeMetadata(string $lines): array
    {
        $metadata = [];
        foreach (explode("\n", $lines) as $line) {
            $entry = explode(': ', $line, 2);
            if (count($entry) !== 2) {
                continue;
            }
            [$key, $value] = $entry;
            $metadata[$key][] = str_ends_with($key, '-bin') ? (string) base64_decode($value) : $value;
        }
        return $metadata;
    }
}
