<?php

declare(strict_types=1);

namespace Grpc\Resident;

use RuntimeException;

/** stream_select() without warnings, which an error handler of the application could turn into exceptions. */
final class Selection
{
    /** The same on all systems that php-fpm runs on. */
    private const EINTR = 4;
    private const MAX_SECONDS = 3600.0;

    /**
     * @param array<int, resource> $readable
     * @param array<int, resource>|null $writable
     * @return int|null the number of streams that are ready; null if a signal has interrupted it
     */
    public static function wait(array &$readable, ?array &$writable, float $seconds): ?int
    {
        $seconds = max(0.0, min($seconds, self::MAX_SECONDS));
        $whole = (int) $seconds;
        $except = null;
        $reason = '';
        set_error_handler(static function (int $level, string $text) use (&$reason): bool {
            $reason = $text;
            return true;
        });
        try {
            $count = stream_select($readable, $writable, $except, $whole, (int) ceil(($seconds - $whole) * 1e6));
        } finally {
            restore_error_handler();
        }
        if ($count !== false) {
            return $count;
        }
        return str_contains($reason, '[' . self::EINTR . ']') ? null : throw new RuntimeException("cannot wait: $reason");
    }
}
