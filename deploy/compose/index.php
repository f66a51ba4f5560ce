<?php

declare(strict_types=1);

// The script that runs for each call.

use Grpc\RpcServer;
use Grpc\ServerCallReader;
use Grpc\ServerCallWriter;
use Grpc\ServerContext;
use Grpc\StatusException;
use Hello\V1\Greeting;
use Hello\V1\GreeterServiceStub;
use Hello\V1\GreetRequest;

use const Grpc\STATUS_INVALID_ARGUMENT;

// With Composer, both lines are: require __DIR__ . '/vendor/autoload.php';
require __DIR__ . '/grpc-server/autoload.php';
spl_autoload_register(static function (string $class): void {
    $file = __DIR__ . '/generated/' . strtr($class, '\\', '/') . '.php';
    is_file($file) && require $file;
});

final class Greeter extends GreeterServiceStub
{
    public function Greet(GreetRequest $request, ServerContext $context): ?Greeting
    {
        return self::greeting($request);
    }

    public function GreetEach(ServerCallReader $reader, ServerCallWriter $writer, ServerContext $context): void
    {
        while (($request = $reader->read()) !== null) {
            $writer->write(self::greeting($request));
        }
    }

    private static function greeting(GreetRequest $request): Greeting
    {
        if ($request->getName() === '') {
            throw new StatusException(STATUS_INVALID_ARGUMENT, 'name is missing');
        }
        return new Greeting(['text' => "Hello, {$request->getName()}!"]);
    }
}

$server = new RpcServer();
$server->handle(new Greeter());
$server->run();
