<?php

declare(strict_types=1);

// Loads the classes for all PHP tests, without Composer.

require_once __DIR__ . '/../autoload.php';
require_once __DIR__ . '/../interop/autoload.php';

spl_autoload_register(static function (string $class): void {
    $folders = ['Grpc\\Tests\\' => '../grpc-server/tests/', 'Interop\\Tests\\' => '../interop/tests/', 'Tests\\' => ''];
    foreach ($folders as $prefix => $folder) {
        $file = __DIR__ . "/$folder" . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
        if (str_starts_with($class, $prefix) && is_file($file)) {
            require $file;
        }
    }
});
