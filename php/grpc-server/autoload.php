<?php

declare(strict_types=1);

// Without Composer: loads the classes of this folder, and those of a protobuf runtime on the include_path.

require __DIR__ . '/src/constants.php';

spl_autoload_register(static function (string $class): void {
    static $protobuf;
    $path = strtr($class, '\\', '/') . '.php';
    if (str_starts_with($class, 'Grpc\\')) {
        $file = __DIR__ . '/src/' . substr($path, 5);
    } elseif (str_starts_with($class, 'Google\\Protobuf\\') || str_starts_with($class, 'GPBMetadata\\Google\\Protobuf\\')) {
        // An absolute path: opcache would search the include_path again for each class.
        $protobuf ??= dirname((string) stream_resolve_include_path('Google/Protobuf'), 2);
        $file = "$protobuf/$path";
    } else {
        return;
    }
    if (is_file($file)) {
        require $file;
    }
});
