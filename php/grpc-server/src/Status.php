<?php

declare(strict_types=1);

namespace Grpc;

/** Makes the status arrays that ServerContext::setStatus() takes. */
final class Status
{
    /**
     * @param array<string, list<string>>|null $metadata trailing metadata
     * @return array{code: int, details: string, metadata?: array<string, list<string>>}
     */
    public static function status(int $code, string $details, ?array $metadata = null): array
    {
        return $metadata === null || $metadata === []
            ? ['code' => $code, 'details' => $details]
            : ['code' => $code, 'details' => $details, 'metadata' => $metadata];
    }

    /**
     * @param array<string, list<string>>|null $metadata trailing metadata
     * @return array{code: int, details: string, metadata?: array<string, list<string>>}
     */
    public static function ok(?array $metadata = null): array
    {
        return self::status(STATUS_OK, 'OK', $metadata);
    }

    /** @return array{code: int, details: string, metadata?: array<string, list<string>>} */
    public static function unimplemented(): array
    {
        return self::status(STATUS_UNIMPLEMENTED, 'UNIMPLEMENTED');
    }
}
