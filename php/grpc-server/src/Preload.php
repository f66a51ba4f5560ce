<?php

declare(strict_types=1);

namespace Grpc;

use Error;
use FilesystemIterator;
use Google\Protobuf\Internal\DescriptorPool;
use Google\Protobuf\Internal\Message;
use InvalidArgumentException;
use RecursiveDirectoryIterator;
use RecursiveIteratorIterator;
use ReflectionClass;
use SplFileInfo;

/** Preloads classes and descriptors, for a script that opcache.preload names: no call has to load or parse them. */
final class Preload
{
    /**
     * Loads the classes in these folders, in this package, and in the protobuf runtime. What cannot be loaded is left out, with a
     * line in the log: the plugin also generates clients, whose base class belongs to the grpc package.
     */
    public static function classes(string ...$folders): void
    {
        foreach ([...$folders, __DIR__, ...self::runtimeFolders()] as $folder) {
            if (!is_dir($folder)) {
                error_log("preloading: no such folder: $folder");
                continue;
            }
            $files = new RecursiveDirectoryIterator($folder, FilesystemIterator::SKIP_DOTS);
            /** @var SplFileInfo $file */
            foreach (new RecursiveIteratorIterator($files) as $file) {
                if ($file->getExtension() === 'php') {
                    self::load($file->getPathname());
                }
            }
        }
    }

    /**
     * Loads the descriptors of all messages in these files, and in the files that they import.
     *
     * @param class-string ...$metadata generated classes in the namespace GPBMetadata, or that of php_metadata_namespace
     */
    public static function descriptors(string ...$metadata): void
    {
        foreach ($metadata as $class) {
            if (!method_exists($class, 'initOnce')) {
                throw new InvalidArgumentException("$class is not a class that protoc generates for the descriptors of a file");
            }
        }
        // The C extension keeps its own descriptors.
        if (self::runtimeFolders() === []) {
            return;
        }
        foreach ($metadata as $class) {
            $class::initOnce();
        }
        /** @var DescriptorPool $pool */
        $pool = DescriptorPool::getGeneratedPool();
        $dump = new DescriptorDump($pool);
        // Every call replaces the pool: if that fails with this version of the runtime, it must fail now, at the start.
        PreloadedPool::replace(new DescriptorPool());
        // opcache keeps only the classes and functions of a preload script, so the data becomes constants of a class.
        eval(sprintf(
            'namespace Grpc; final class PreloadedDescriptors { const METADATA = %s; const INDEXES = %s; const SERIALIZED = %s; }',
            var_export(self::initialized(), true),
            var_export($dump->indexes, true),
            var_export($dump->serialized, true),
        ));
    }

    private static function load(string $file): void
    {
        try {
            require_once $file;
        } catch (Error $error) {
            error_log("preloading: $file is left out: {$error->getMessage()}");
        }
    }

    /** @return list<class-string> the metadata classes of all files whose descriptors are in the pool */
    private static function initialized(): array
    {
        return array_values(array_filter(
            get_declared_classes(),
            // The namespace can be any: option php_metadata_namespace.
            static fn (string $class): bool => method_exists($class, 'initOnce')
                && property_exists($class, 'is_initialized') && $class::$is_initialized === true,
        ));
    }

    /** @return list<string> empty for the C extension */
    private static function runtimeFolders(): array
    {
        $file = (new ReflectionClass(Message::class))->getFileName();
        return $file === false ? [] : [dirname($file, 2), dirname($file, 4) . '/GPBMetadata/Google/Protobuf'];
    }
}
