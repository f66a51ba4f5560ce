<?php

declare(strict_types=1);

// Loads the classes for all PHP tests, without Composer, and fails a test at an error or a deprecation in this project's own
// files: versions of PHPUnit do that by different settings.

set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
    if ((error_reporting() & $level) === 0) {
        return false;
    }
    if (in_array($level, [E_DEPRECATED, E_USER_DEPRECATED], true) && !str_starts_with($file, dirname(__DIR__) . '/')) {
        return true;
    }
    throw new ErrorException($message, 0, $level, $file, $line);
});

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
