<?php

declare(strict_types=1);

namespace Grpc;

use Closure;
use Google\Protobuf\Internal\Descriptor;
use Google\Protobuf\Internal\DescriptorPool;
use Google\Protobuf\Internal\EnumDescriptor;

/**
 * A descriptor pool for the protobuf runtime in PHP that loads preloaded descriptors on demand. The runtime's own pool
 * parses all descriptors of a file in each call, with a parser in PHP that needs descriptors itself.
 */
final class PreloadedPool extends DescriptorPool
{
    /** @var array<int, true> indexes of descriptors */
    private array $loaded = [];

    /** Replaces the runtime's pool if Preload has run; keeps it if a preloaded file has been parsed into it already. */
    public static function install(): void
    {
        if (!class_exists(PreloadedDescriptors::class, false)) {
            return;
        }
        foreach (PreloadedDescriptors::METADATA as $class) {
            if ($class::$is_initialized) {
                return;
            }
        }
        foreach (PreloadedDescriptors::METADATA as $class) {
            $class::$is_initialized = true;
        }
        self::replace(new self());
    }

    /** Makes this the pool that all messages use. */
    public static function replace(DescriptorPool $pool): void
    {
        // The runtime has no setter for its pool.
        Closure::bind(static fn () => self::$pool = $pool, null, parent::class)();
    }

    public function getDescriptorByClassName($klass)
    {
        $this->load($klass);
        return parent::getDescriptorByClassName($klass);
    }

    public function getEnumDescriptorByClassName($klass)
    {
        $this->load($klass);
        return parent::getEnumDescriptorByClassName($klass);
    }

    public function getDescriptorByProtoName($proto)
    {
        $this->load($proto);
        return parent::getDescriptorByProtoName($proto);
    }

    public function getEnumDescriptorByProtoName($proto)
    {
        $this->load($proto);
        return parent::getEnumDescriptorByProtoName($proto);
    }

    private function load(string $name): void
    {
        $index = PreloadedDescriptors::INDEXES[$name] ?? null;
        if ($index === null || isset($this->loaded[$index])) {
            return;
        }
        $this->loaded[$index] = true;
        $descriptor = unserialize(PreloadedDescriptors::SERIALIZED[$index]);
        if ($descriptor instanceof EnumDescriptor) {
            $this->addEnumDescriptor($descriptor);
        } else {
            $this->addDescriptor($descriptor);
            $this->link($descriptor);
        }
    }

    /** Replaces the names of types by their descriptors, as the runtime's crossLink() does, which is private. */
    private function link(Descriptor $descriptor): void
    {
        foreach ($descriptor->getField() as $field) {
            if (is_string($field->getMessageType())) {
                $field->setMessageType($this->getDescriptorByProtoName($field->getMessageType()));
            }
            if (is_string($field->getEnumType())) {
                $field->setEnumType($this->getEnumDescriptorByProtoName($field->getEnumType()));
            }
        }
        foreach ($descriptor->getNestedType() as $nested) {
            $this->link($nested);
        }
    }
}
