<?php

declare(strict_types=1);

// A server stream sends the notifications of the channel that the request names.

use Google\Protobuf\StringValue;
use Grpc\RpcServer;
use Grpc\ServerCallWriter;
use Grpc\StatusException;
use Grpc\Tests\ScriptedService;
use Grpc\Wait;

use const Grpc\STATUS_UNAVAILABLE;

require __DIR__ . '/../autoload.php';
require __DIR__ . '/ScriptedService.php';

$watch = static function (string $channel, ServerCallWriter $writer): never {
    $database = pg_connect($_SERVER['DATABASE'], PGSQL_CONNECT_FORCE_NEW);
    pg_query($database, "LISTEN $channel");
    $writer->write(new StringValue(['value' => (string) pg_get_pid($database)]));
    while (true) {
        while ($notification = pg_get_notify($database, PGSQL_ASSOC)) {
            $writer->write(new StringValue(['value' => $notification['payload']]));
        }
        if (pg_connection_status($database) !== PGSQL_CONNECTION_OK) {
            throw new StatusException(STATUS_UNAVAILABLE, 'the database is gone');
        }
        Wait::readable(pg_socket($database));
    }
};

$server = new RpcServer();
$server->handle(new ScriptedService(
    static fn (StringValue $request, object $to): StringValue => $to instanceof ServerCallWriter
        ? $watch($request->getValue(), $to)
        : $request,
));
$server->run();
