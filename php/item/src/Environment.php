<?php

declare(strict_types=1);

namespace Shop;

/** The settings of the application. */
final class Environment
{
    /** The value of a variable; php-fpm passes on an unset one as an empty one. */
    public static function read(string $name): ?string
    {
        // Local only: otherwise a request parameter of that name would come first.
        $value = getenv($name, true);
        return $value === false || $value === '' ? null : $value;
    }
}
