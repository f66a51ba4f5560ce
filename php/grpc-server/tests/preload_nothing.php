<?php

declare(strict_types=1);

require __DIR__ . '/../autoload.php';

Grpc\Preload::descriptors('GPBMetadata\Nothing');
