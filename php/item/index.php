<?php

declare(strict_types=1);

use Grpc\IncomingCall;
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

$call = IncomingCall::fromVariables($_SERVER);
$answer = $server->answer($call, (string) file_get_contents('php://input'));
$answer->send();

if (Environment::read('ITEM_CALL_LOG') === '1') {
    error_log(CallLog::line($call->method, $answer->status['code'], $_SERVER));
}
