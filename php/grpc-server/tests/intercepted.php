<?php

declare(strict_types=1);

// A service behind the interceptors of README.md, as they stand there: INTERCEPTORS is their PHP. A request or a message of
// the service is answered with the user's name.

use Google\Protobuf\StringValue;
use Grpc\RpcServer;
use Grpc\ServerCallReader;
use Grpc\ServerContext;
use Grpc\Tests\ScriptedService;

require __DIR__ . '/../autoload.php';
require __DIR__ . '/ScriptedService.php';

$method = static function (object $first, object $second, ?ServerContext $context = null): ?StringValue {
    $context ??= $second;
    $answer = new StringValue(['value' => $context->value('user')]);
    if ($second === $context) {
        while ($first instanceof ServerCallReader && $first->read() !== null);
        return $answer;
    }
    if (!$first instanceof ServerCallReader) {
        $second->start($answer);
        $second->finish($answer);
        return null;
    }
    while ($first->read() !== null) {
        $second->write($answer);
    }
    return null;
};

$server = new RpcServer();
$server->handle(new ScriptedService($method));
$users = [hash('sha256', 'secret') => 'Ada'];
require getenv('INTERCEPTORS');
$server->run();
