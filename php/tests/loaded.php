<?php

declare(strict_types=1);

// The item application's script, which then says what it had to load, and where descriptors came from.

require __DIR__ . '/../item/index.php';

$pool = Google\Protobuf\Internal\DescriptorPool::getGeneratedPool()::class;
error_log('loaded: ' . implode(' ', array_map(basename(...), get_included_files())) . "; descriptors: $pool");
