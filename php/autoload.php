<?php

declare(strict_types=1);

// Loads what composer.json describes, even without Composer: Debian's php-google-protobuf is on the include_path.

if (is_file(__DIR__ . '/vendor/autoload.php')) {
    require_once __DIR__ . '/vendor/autoload.php';
    return;
}

require_once __DIR__ . '/grpc-server/autoload.php';

spl_autoload_register(static function (string $class): void {
    $path = strtr($class, '\\', '/') . '.php';
    $file = __DIR__ . (str_starts_with($class, 'Shop\\') ? '/item/src/' . substr($path, 5) : "/generated/$path");
    if (is_file($file)) {
        require $file;
    }
});
