<?php

declare(strict_types=1);

namespace Grpc;

use Closure;
use Google\Protobuf\Internal\Descriptor;
use Google\Protobuf\Internal\DescriptorPool;
use Google\Protobuf\Internal\EnumDescriptor;

/**
 * The protobuf runtime's pool of descriptors, which takes them from what Preload made as they are asked for. The runtime in
 * PHP would parse them in each call, all of a file, with a parser in PHP that needs descriptors of its own.
 */
final class PreloadedPool extends DescriptorPool
{
    /** @var array<int, true> */
    private array $loaded = [];

    /** Puts it in place of the runtime's, which has to be empty still; if not, all stays as ever. */
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

    /** In place of the pool that the messages use. */
    public static function replace(DescriptorPool $pool): void
    {
        // There is no other way in.
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

    /** As the runtime's crossLink(), which is private: names of types become their descriptors. */
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
