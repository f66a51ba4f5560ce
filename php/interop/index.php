<?php

declare(strict_types=1);

use Grpc\RpcServer;
use Interop\TestService;

require __DIR__ . '/autoload.php';

// grpc.testing.UnimplementedService is what its name says.
$server = new RpcServer();
$server->handle(new TestService());
$server->run();
