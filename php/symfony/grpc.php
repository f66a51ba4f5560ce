<?php

declare(strict_types=1);

use App\Kernel;
use Grpc\RpcServer;

require __DIR__ . '/vendor/autoload.php';

$kernel = new Kernel($_SERVER['APP_ENV'] ?? 'prod', (bool) ($_SERVER['APP_DEBUG'] ?? false));
$kernel->boot();
$container = $kernel->getContainer();
$server = $container->get(RpcServer::class);
$server->afterCall(static function () use ($container): void {
    $container->get('services_resetter')->reset();
});
$server->run();
