<?php

declare(strict_types=1);

// Preloads classes and descriptors as an application does. This file's descriptors are the hard ones to serialize: a map,
// a oneof, an enum, and messages that contain each other.

require __DIR__ . '/../autoload.php';

Grpc\Preload::classes();
Grpc\Preload::descriptors(GPBMetadata\Google\Protobuf\Struct::class);
