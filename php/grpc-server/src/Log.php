<?php

declare(strict_types=1);

namespace Grpc;

use Closure;

/** Where this package logs: PHP's log, or in a resident worker the proxy, which adds the call to it. */
final class Log
{
    // Levels as in RFC 5424.
    public const ERROR = 3;
    public const WARNING = 4;

    /** @var (Closure(int, string): bool)|null returns false if the record must go to PHP's log */
    private static ?Closure $sink = null;

    /** @param (Closure(int, string): bool)|null $sink takes the level and the text of each record */
    public static function to(?Closure $sink): void
    {
        self::$sink = $sink;
    }

    public static function error(string $text): void
    {
        self::write(self::ERROR, $text);
    }

    public static function warning(string $text): void
    {
        self::write(self::WARNING, $text);
    }

    private static function write(int $level, string $text): void
    {
        if (self::$sink === null || !(self::$sink)($level, $text)) {
            error_log($text);
        }
    }
}
