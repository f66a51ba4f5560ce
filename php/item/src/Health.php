<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use PDO;
use Throwable;

/** Checks whether the application can answer calls. */
final class Health
{
    /**
     * @param Closure(): PDO $open
     * @return array{int, string} the HTTP status and the body
     */
    public static function check(Closure $open): array
    {
        try {
            (new ItemStore($open()))->ping();
            return [200, 'OK'];
        } catch (Throwable $error) {
            error_log("unhealthy: $error");
            return [503, 'the database does not answer'];
        }
    }
}
