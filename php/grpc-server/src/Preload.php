<?php

declare(strict_types=1);

namespace Grpc;

use FilesystemIterator;
use Google\Protobuf\Internal\DescriptorPool;
use Google\Protobuf\Internal\Message;
use RecursiveDirectoryIterator;
use RecursiveIteratorIterator;
use ReflectionClass;

/** Preloads classes and descriptors, for a script that opcache.preload names: no call has to load or parse them. */
final class Preload
{
    /** Loads the classes in these folders, in this package, and in the protobuf runtime. */
    public static function classes(string ...$folders): void
    {
        foreach ([...$folders, __DIR__, ...self::runtimeFolders()] as $folder) {
            $files = new RecursiveDirectoryIterator($folder, FilesystemIterator::SKIP_DOTS);
            foreach (new RecursiveIteratorIterator($files) as $file) {
                if ($file->getExtension() === 'php') {
                    require_once $file->getPathname();
                }
            }
        }
    }

    /**
     * Loads the descriptors of all messages in these files, and in the files that they import.
     *
     * @param class-string ...$metadata generated classes in the namespace GPBMetadata
     */
    public static function descriptors(string ...$metadata): void
    {
        // The C extension keeps its own descriptors.
        if (self::runtimeFolders() === []) {
            return;
        }
        array_walk($metadata, static fn (string $class) => $class::initOnce());
        $dump = new DescriptorDump(DescriptorPool::getGeneratedPool());
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

    /** @return list<class-string> the metadata classes of all files whose descriptors are in the pool */
    private static function initialized(): array
    {
        return array_values(array_filter(
            get_declared_classes(),
            static fn (string $class): bool => str_starts_with($class, 'GPBMetadata\\') && $class::$is_initialized,
        ));
    }

    /** @return list<string> empty for the C extension */
    private static function runtimeFolders(): array
    {
        $file = (new ReflectionClass(Message::class))->getFileName();
        return $file === false ? [] : [dirname($file, 2), dirname($file, 4) . '/GPBMetadata/Google/Protobuf'];
    }
}
