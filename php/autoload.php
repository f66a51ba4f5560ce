<?php

declare(strict_types=1);

// Finds what composer.json describes without Composer: Debian's php-google-protobuf is on the include_path.

if (is_file(__DIR__ . '/vendor/autoload.php')) {
    require __DIR__ . '/vendor/autoload.php';
    return;
}

require __DIR__ . '/grpc-server/src/constants.php';

spl_autoload_register(static function (string $class): void {
    $folders = ['Shop\\' => 'item/src', 'Grpc\\' => 'grpc-server/src', 'Tests\\' => 'tests'];
    foreach ($folders as $prefix => $folder) {
        if (str_starts_with($class, $prefix)) {
            $file = __DIR__ . "/$folder/" . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
            if (is_file($file)) {
                require $file;
            }
            return;
        }
    }
    $path = strtr($class, '\\', '/') . '.php';
    $file = __DIR__ . "/generated/$path";
    if (!is_file($file)) {
        $file = stream_resolve_include_path($path);
    }
    if ($file !== false) {
        require $file;
    }
});
