<?php

declare(strict_types=1);

use Conformance\Service;
use Grpc\RpcServer;

require __DIR__ . '/autoload.php';

$server = new RpcServer();
$server->handle(new Service());
$server->run();
