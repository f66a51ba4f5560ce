<?php

declare(strict_types=1);

// Loads the sample service's dependencies: from Composer if the parent folder has them.

require_once is_file(__DIR__ . '/../vendor/autoload.php')
    ? __DIR__ . '/../vendor/autoload.php'
    : __DIR__ . '/../grpc-server/autoload.php';

spl_autoload_register(static function (string $class): void {
    $file = __DIR__ . '/generated/' . strtr($class, '\\', '/') . '.php';
    if (is_file($file)) {
        require $file;
    }
});
