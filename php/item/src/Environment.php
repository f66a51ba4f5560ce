<?php

declare(strict_types=1);

namespace Shop;

/** Reads settings from environment variables. */
final class Environment
{
    /** Null if the variable is unset or empty: php-fpm passes an unset one on as an empty one. */
    public static function read(string $name): ?string
    {
        // Local only: otherwise a FastCGI param of the same name would take precedence.
        $value = getenv($name, true);
        return $value === false || $value === '' ? null : $value;
    }
}
