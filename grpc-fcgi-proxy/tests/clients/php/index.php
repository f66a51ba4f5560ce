<?php

declare(strict_types=1);

use Google\Protobuf\Internal\Message;
use Grpc\InterceptedCall;
use Grpc\RpcServer;
use Grpc\StatusException;
use Grpc\Testing\EchoStatus;
use Grpc\Testing\SimpleResponse;
use Interop\TestService;

use const Grpc\STATUS_FAILED_PRECONDITION;
use const Grpc\STATUS_UNAVAILABLE;

require __DIR__ . '/../../../../php/interop/autoload.php';

/** What the proxy tells the script of a unary call, in the fields of a response that are free. */
function report(InterceptedCall $call): SimpleResponse
{
    $secondsLeft = $call->context->secondsLeft();
    return new SimpleResponse([
        'username' => $call->context->peer(),
        'oauth_scope' => $secondsLeft === INF ? 'no deadline' : sprintf('%.6F', $secondsLeft),
        'server_id' => $_SERVER['INSTANCE'],
    ]);
}

/** Fails until the client's second retry. */
function second_retry(InterceptedCall $call): SimpleResponse
{
    $attempts = $call->context->clientMetadata()['grpc-previous-rpc-attempts'][0] ?? '0';
    return $attempts === '2' ? new SimpleResponse() : throw new StatusException(STATUS_UNAVAILABLE, "after $attempts retries");
}

$server = new RpcServer();
$server->handle(new TestService());
$server->intercept(static fn (InterceptedCall $call, Closure $next): ?Message
    => match ($call->context->clientMetadata()['x-instead'][0] ?? '') {
        'report' => report($call),
        'details' => throw new StatusException(
            STATUS_FAILED_PRECONDITION,
            'not yet: ☺',
            [new EchoStatus(['code' => 7, 'message' => 'a detail'])],
        ),
        'second-retry' => second_retry($call),
        default => $next($call),
    });
$server->run();
