<?php

declare(strict_types=1);

// What an application preloads: its classes, and the descriptors of its messages, here those of a file with all that is
// hard to carry over: a map, a oneof, an enum, and messages within each other.

require __DIR__ . '/../autoload.php';

Grpc\Preload::classes();
Grpc\Preload::descriptors(GPBMetadata\Google\Protobuf\Struct::class);
