<?php

declare(strict_types=1);

use Grpc\RpcServer;
use Grpc\ServerContext;
use Shop\CallLog;
use Shop\Database;
use Shop\Environment;
use Shop\ItemEndpoint;
use Shop\ItemFeed;
use Shop\KeptServices;

require __DIR__ . '/../autoload.php';

$services = new KeptServices(Database::fromEnvironment(...));
$server = new RpcServer();
$server->handle(new ItemEndpoint($services->get(...), new ItemFeed($services->get(...), $services->changes(...))));
$server->afterCall($services->afterCall(...));
if (Environment::read('ITEM_CALL_LOG') === '1') {
    $server->afterCall(static function (ServerContext $context, int $status): void {
        [$protocol, $codec] = [$context->clientProtocol(), $context->clientCodec()];
        error_log(CallLog::line($context->method(), $status, $protocol, $codec, $context->clientMetadata()));
    });
}
$server->run();
