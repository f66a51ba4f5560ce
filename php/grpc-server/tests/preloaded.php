<?php

declare(strict_types=1);

// Says what is there when a call begins, and what becomes of JSON in a message and back.

use Google\Protobuf\Internal\DescriptorPool;
use Google\Protobuf\StringValue;
use Google\Protobuf\Struct;
use Grpc\RpcServer;

require __DIR__ . '/../autoload.php';

// Of the runtime as Debian has it.
error_reporting(E_ALL & ~E_DEPRECATED);
if (isset($_SERVER['MESSAGE_BEFORE'])) {
    new $_SERVER['MESSAGE_BEFORE']();
}
new RpcServer();
$read = new Struct();
$read->mergeFromJsonString($_SERVER['JSON']);
$parsed = new Struct();
$parsed->mergeFromString($read->serializeToString());
$json = $parsed->serializeToJsonString();
$loaded = array_map(basename(...), get_included_files());
$other = new StringValue(['value' => 'other']);
echo json_encode([
    'json' => $json,
    'loaded' => $loaded,
    'pool' => DescriptorPool::getGeneratedPool()::class,
    'other' => $other->serializeToJsonString(),
]);
