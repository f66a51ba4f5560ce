<?php

declare(strict_types=1);

// Reports what was loaded during the call, and JSON after a conversion to a message and back.

use Google\Protobuf\Internal\DescriptorPool;
use Google\Protobuf\StringValue;
use Google\Protobuf\Struct;
use Grpc\RpcServer;

require __DIR__ . '/../autoload.php';

// Debian's protobuf runtime causes deprecations.
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
