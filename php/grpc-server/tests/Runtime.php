<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Google\Protobuf\DescriptorPool;
use Google\Protobuf\Internal\Message;
use Grpc\PreloadedPool;
use ReflectionClass;

/** The protobuf runtime that the tests run with. */
final class Runtime
{
    /** @return class-string the pool of a call whose descriptors are preloaded; the C extension keeps its own */
    public static function preloadedPool(): string
    {
        return (new ReflectionClass(Message::class))->isInternal() ? DescriptorPool::class : PreloadedPool::class;
    }
}
