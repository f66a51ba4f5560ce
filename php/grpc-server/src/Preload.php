<?php

declare(strict_types=1);

namespace Grpc;

use FilesystemIterator;
use Google\Protobuf\Internal\DescriptorPool;
use Google\Protobuf\Internal\Message;
use RecursiveDirectoryIterator;
use RecursiveIteratorIterator;
use ReflectionClass;

/** What a script for opcache.preload calls, so that no call has to load classes or make descriptors. */
final class Preload
{
    /** The classes of these folders, of this package, and of the protobuf runtime. */
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
     * The descriptors of all messages of these files, and of what they import.
     *
     * @param class-string ...$metadata of the generated classes in GPBMetadata
     */
    public static function descriptors(string ...$metadata): void
    {
        // The C extension keeps its own.
        if (self::runtimeFolders() === []) {
            return;
        }
        array_walk($metadata, static fn (string $class) => $class::initOnce());
        $dump = new DescriptorDump(DescriptorPool::getGeneratedPool());
        // What every call will do has to fail here and now, if it fails with this version of the runtime.
        PreloadedPool::replace(new DescriptorPool());
        // Of what a preload script makes, opcache keeps nothing but classes and functions.
        eval(sprintf(
            'namespace Grpc; final class PreloadedDescriptors { const METADATA = %s; const INDEXES = %s; const SERIALIZED = %s; }',
            var_export(self::initialized(), true),
            var_export($dump->indexes, true),
            var_export($dump->serialized, true),
        ));
    }

    /** @return list<class-string> the metadata of all files whose descriptors are in the pool */
    private static function initialized(): array
    {
        return array_values(array_filter(
            get_declared_classes(),
            static fn (string $class): bool => str_starts_with($class, 'GPBMetadata\\') && $class::$is_initialized,
        ));
    }

    /** @return list<string> its folders; none if it is the C extension */
    private static function runtimeFolders(): array
    {
        $file = (new ReflectionClass(Message::class))->getFileName();
        return $file === false ? [] : [dirname($file, 2), dirname($file, 4) . '/GPBMetadata/Google/Protobuf'];
    }
}
