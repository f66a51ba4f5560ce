<?php

declare(strict_types=1);

namespace Grpc;

use Closure;
use Google\Protobuf\Internal\Descriptor;
use Google\Protobuf\Internal\DescriptorPool;
use Google\Protobuf\Internal\EnumDescriptor;

/** Serializes the descriptors of the runtime's pool for PreloadedPool. The pool cannot be used afterwards. */
final class DescriptorDump
{
    /** @var array<string, int> a class name or protobuf name => the index of its descriptor in $serialized */
    public array $indexes = [];

    /** @var list<string> each without the descriptors of its fields' types */
    public array $serialized = [];

    public function __construct(DescriptorPool $pool)
    {
        // The pool cannot list its descriptors.
        $read = static fn (): array => [$pool->class_to_desc, $pool->class_to_enum_desc];
        [$messages, $enums] = Closure::bind($read, null, DescriptorPool::class)();
        array_walk($messages, self::unlink(...));
        $nested = [];
        foreach ($messages as $message) {
            array_push($nested, ...$message->getNestedType(), ...$message->getEnumType());
        }
        foreach ([...$messages, ...$enums] as $descriptor) {
            // A pool holds a message under up to three class names.
            if (!in_array($descriptor, $nested, true) && !isset($this->indexes[$descriptor->getFullName()])) {
                $this->addNames($descriptor, count($this->serialized));
                $this->serialized[] = serialize($descriptor);
            }
        }
    }

    private static function unlink(Descriptor $descriptor): void
    {
        foreach ($descriptor->getField() as $field) {
            if ($field->getMessageType() instanceof Descriptor) {
                $field->setMessageType($field->getMessageType()->getFullName());
            }
            if ($field->getEnumType() instanceof EnumDescriptor) {
                $field->setEnumType($field->getEnumType()->getFullName());
            }
        }
    }

    private function addNames(Descriptor|EnumDescriptor $descriptor, int $index): void
    {
        $names = [$descriptor->getFullName(), $descriptor->getClass(), $descriptor->getLegacyClass()];
        if ($descriptor instanceof Descriptor) {
            $names[] = $descriptor->getPreviouslyUnreservedClass();
            foreach ([...$descriptor->getNestedType(), ...$descriptor->getEnumType()] as $nested) {
                $this->addNames($nested, $index);
            }
        }
        $this->indexes += array_fill_keys(array_filter($names), $index);
    }
}
