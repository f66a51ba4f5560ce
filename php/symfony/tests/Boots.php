<?php

declare(strict_types=1);

namespace App\Tests;

use Symfony\Component\HttpKernel\Bundle\Bundle;

/** Writes a line for each container that is built, in the environment test: its process. */
final class Boots extends Bundle
{
    public function boot(): void
    {
        $file = $_SERVER['BOOTS'] ?? null;
        if (is_string($file)) {
            file_put_contents($file, (int) getmypid() . "\n", FILE_APPEND);
        }
    }
}
