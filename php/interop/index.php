<?php

declare(strict_types=1);

use Grpc\RpcServer;
use Interop\TestService;

require __DIR__ . '/autoload.php';

// Without grpc.testing.UnimplementedService: its calls must end with UNIMPLEMENTED.
$server = new RpcServer();
$server->handle(new TestService());
$server->run();
