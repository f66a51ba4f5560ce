<?php

declare(strict_types=1);

namespace Grpc;

use Google\Protobuf\Internal\Message;
use Throwable;

/** Serves one call, that of the current php-fpm request, with the services made from generated server stubs. */
final class RpcServer
{
    private const FATAL_ERRORS = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR;

    /** @var array<string, MethodDescriptor> */
    private array $methods = [];

    public function __construct()
    {
        PreloadedPool::install();
    }

    /**
     * @param object $service has the getMethodDescriptors() of a generated stub
     * @return array<string, MethodDescriptor> all methods of this server
     */
    public function handle(object $service): array
    {
        $added = $service->getMethodDescriptors();
        $twice = array_intersect_key($this->methods, $added);
        if ($twice !== []) {
            Log::error('methods registered twice, the last service wins: ' . implode(', ', array_keys($twice)));
        }
        return $this->methods = $added + $this->methods;
    }

    /** @return int the status code of the call; CANCELLED if the client is gone */
    public function run(): int
    {
        return $this->serve(new IncomingCall($_SERVER), new RequestOutput());
    }

    public function serve(IncomingCall $call, RequestOutput $output): int
    {
        if (!$output->begin()) {
            return STATUS_UNKNOWN;
        }
        $returned = false;
        $output->onShutdown(static function () use (&$returned, $call): void {
            if (!$returned) {
                self::logExit($call);
            }
        });
        $status = $this->statusOf($call, $output);
        $returned = true;
        return $status;
    }

    private function statusOf(IncomingCall $call, Output $output): int
    {
        $unary = $call->kind === MethodDescriptor::UNARY_CALL;
        $context = new ServerContext($call, $output);
        try {
            $unary ? $this->serveUnary($call, $context, $output) : $this->serveStream($call, $context, $output);
        } catch (CallCancelled) {
            return STATUS_CANCELLED;
        }
        return $context->statusCode();
    }

    /** PHP logs a fatal error itself, but nothing else tells why the call ended. */
    private static function logExit(IncomingCall $call): void
    {
        if (((error_get_last()['type'] ?? 0) & self::FATAL_ERRORS) === 0) {
            Log::error("$call->method called exit, so the call fails: return, or throw a StatusException");
        }
    }

    private function serveUnary(IncomingCall $call, ServerContext $context, Output $output): void
    {
        $message = '';
        try {
            $method = $this->findMethod($call);
            $request = ServerCallReader::parse($method->request_type, $call->message());
            $response = $method->service->{$method->method_name}($request, $context);
            $message = self::responseToSend($context, $response)?->serializeToString() ?? '';
        } catch (Throwable $error) {
            $message = '';
            self::fail($context, $error);
        }
        $output->answer($context, $message);
    }

    private function serveStream(IncomingCall $call, ServerContext $context, Output $output): void
    {
        $writer = new ServerCallWriter($output, $context);
        $output->onShutdown($writer->finishOnShutdown(...));
        try {
            $this->stream($call, $context, $writer);
        } catch (Throwable $error) {
            self::fail($context, $error);
        }
        if (!$writer->finished()) {
            $writer->finish();
        }
    }

    private function stream(IncomingCall $call, ServerContext $context, ServerCallWriter $writer): void
    {
        $method = $this->findMethod($call);
        $serve = [$method->service, $method->method_name];
        $reader = new ServerCallReader($call, $method->request_type);
        switch ($method->call_type) {
            case MethodDescriptor::SERVER_STREAMING_CALL:
                $request = $reader->read() ?? throw new StatusException(STATUS_UNIMPLEMENTED, 'the request message is missing');
                $serve($request, $writer, $context);
                break;
            case MethodDescriptor::CLIENT_STREAMING_CALL:
                $writer->finish(self::responseToSend($context, $serve($reader, $context)));
                break;
            default:
                $serve($reader, $writer, $context);
        }
    }

    /** @throws StatusException */
    private function findMethod(IncomingCall $call): MethodDescriptor
    {
        $method = $this->methods[$call->method]
            ?? throw new StatusException(STATUS_UNIMPLEMENTED, "unknown method $call->method");
        if ($method->call_type !== $call->kind) {
            Log::error("$call->method is not the kind of call that the proxy assumes: check its --descriptor-set");
            throw new StatusException(STATUS_INTERNAL, 'proxy and application disagree on the kind of this call');
        }
        return $method;
    }

    /** The message of a call that requires exactly one; null if its status is an error. */
    private static function responseToSend(ServerContext $context, ?Message $response): ?Message
    {
        if ($context->statusCode() !== STATUS_OK) {
            return null;
        }
        if ($response === null) {
            // gRPC's list of status codes names this one for OK without a message.
            Log::error("{$context->method()} returned no response and set no status");
            throw new StatusException(STATUS_UNIMPLEMENTED, 'no response');
        }
        return $response;
    }

    /** @throws CallCancelled */
    private static function fail(ServerContext $context, Throwable $error): void
    {
        if ($error instanceof CallCancelled) {
            throw $error;
        }
        if ($error instanceof StatusException) {
            $context->setStatus($error->status());
            return;
        }
        Log::error("uncaught exception in {$context->method()}: $error");
        $context->setStatus(Status::status(STATUS_UNKNOWN, 'uncaught exception'));
    }
}
