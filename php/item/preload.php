<?php

declare(strict_types=1);

use Grpc\Preload;

require __DIR__ . '/../autoload.php';

Preload::classes(__DIR__ . '/src', __DIR__ . '/../generated');
Preload::descriptors(
    GPBMetadata\Item\Item::class,
    GPBMetadata\Google\Protobuf\Any::class,
    GPBMetadata\Google\Rpc\ErrorDetails::class,
);
