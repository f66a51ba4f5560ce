<?php

declare(strict_types=1);

// Loads the conformance service and its dependencies: from Composer if the parent folder has them.

require_once is_file(__DIR__ . '/../vendor/autoload.php')
    ? __DIR__ . '/../vendor/autoload.php'
    : __DIR__ . '/../grpc-server/autoload.php';

spl_autoload_register(static function (string $class): void {
    $path = strtr($class, '\\', '/') . '.php';
    $file = __DIR__ . (str_starts_with($class, 'Conformance\\') ? '/src/' . substr($path, 12) : "/generated/$path");
    if (is_file($file)) {
        require $file;
    }
});
