<?php

declare(strict_types=1);

// Runs the script of the item application, then logs which files it loaded and which pool its descriptors came from.

require __DIR__ . '/../item/index.php';

$pool = Google\Protobuf\Internal\DescriptorPool::getGeneratedPool()::class;
error_log('loaded: ' . implode(' ', array_map(basename(...), get_included_files())) . "; descriptors: $pool");
