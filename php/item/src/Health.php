<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use PDO;
use Throwable;

/** Whether the application can answer calls. */
final class Health
{
    /**
     * @param Closure(): PDO $open
     * @return array{int, string} an HTTP status and a text
     */
    public static function check(Closure $open): array
    {
        try {
            (new ItemStore($open()))->ping();
            return [200, 'OK'];
        } catch (Throwable $error) {
            error_log("not healthy: $error");
            return [503, 'the database does not answer'];
        }
    }
}
