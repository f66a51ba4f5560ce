<?php

declare(strict_types=1);

use Grpc\RpcServer;
use Shop\CallLog;
use Shop\Database;
use Shop\Environment;
use Shop\ItemEndpoint;
use Shop\ItemService;
use Shop\ItemStore;

require __DIR__ . '/../autoload.php';

$server = new RpcServer();
$server->handle(new ItemEndpoint(
    static fn (): ItemService => new ItemService(new ItemStore(Database::fromEnvironment())),
));

$status = $server->run();

if (Environment::read('ITEM_CALL_LOG') === '1') {
    error_log(CallLog::line($_SERVER['REQUEST_URI'], $status, $_SERVER));
}
