<?php

declare(strict_types=1);

namespace Grpc;

use Closure;
use Google\Protobuf\Internal\Message;
use Grpc\Resident\Call;
use Grpc\Resident\Connection;
use Grpc\Resident\Settings;
use Grpc\Resident\Worker;
use Throwable;

/**
 * Serves calls with the services made from generated server stubs: the one of the current php-fpm request, or, in a
 * resident worker, many.
 */
final class RpcServer
{
    private const FATAL_ERRORS = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR;

    /** @var array<string, MethodDescriptor> */
    private array $methods = [];

    /** @var list<Closure(InterceptedCall, Closure(InterceptedCall): ?Message): ?Message> */
    private array $interceptors = [];

    /** @var list<Closure(ServerContext, int): void> */
    private array $afterCall = [];

    /** @var list<Closure(): void> */
    private array $beforeEnd = [];

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
        /** @var array<string, MethodDescriptor> $added */
        $added = $service->getMethodDescriptors();
        $twice = array_intersect_key($this->methods, $added);
        if ($twice !== []) {
            error_log('methods registered twice, the last service wins: ' . implode(', ', array_keys($twice)));
        }
        return $this->methods = $added + $this->methods;
    }

    /**
     * Runs $interceptor around the method of each call: what was added first is outermost. It gets the call, and a closure
     * that goes on to the next interceptor or to the method; it may return a response in place of that, set a status, throw
     * a StatusException, or go on with another request, reader or writer.
     *
     * @param callable(InterceptedCall, Closure(InterceptedCall): ?Message): ?Message $interceptor
     */
    public function intercept(callable $interceptor): void
    {
        $this->interceptors[] = $interceptor(...);
    }

    /**
     * Runs $hook behind each call, when its answer has been sent, unless the call has ended the script.
     *
     * @param Closure(ServerContext, int): void $hook takes the status code too; CANCELLED if the client is gone
     */
    public function afterCall(Closure $hook): void
    {
        $this->afterCall[] = $hook;
    }

    /**
     * Runs $hook when run() is about to return.
     *
     * @param Closure(): void $hook
     */
    public function beforeEnd(Closure $hook): void
    {
        $this->beforeEnd[] = $hook;
    }

    /**
     * @return int the status code of the call; CANCELLED if the client is gone. A resident worker returns OK at its end,
     * UNAVAILABLE if it cannot connect to the proxy
     */
    public function run(): int
    {
        $settings = Settings::take();
        $status = $settings === null
            ? $this->serve(new IncomingCall($_SERVER), new RequestOutput())
            : $this->stay($settings);
        foreach ($this->beforeEnd as $hook) {
            $hook();
        }
        return $status;
    }

    public function serve(IncomingCall $call, RequestOutput $output): int
    {
        if (!$output->begin()) {
            return STATUS_UNKNOWN;
        }
        $returned = false;
        $output->onShutdown(static function () use (&$returned, $call): void {
            if (!$returned) {
                self::logExit($call->method);
            }
        });
        $context = new ServerContext($call, $output);
        $status = $this->statusOf($call, $context, $output);
        $returned = true;
        $this->runAfterCall($context, $status);
        return $status;
    }

    private function stay(Settings $settings): int
    {
        $connection = Connection::open($settings->address);
        if (is_string($connection)) {
            error_log("cannot connect to the proxy at $settings->address: $connection");
            return STATUS_UNAVAILABLE;
        }
        $serve = fn (Call $call): int => $this->statusOf($call->incoming, $call->context, $call->output);
        $hooks = $this->afterCall === [] ? null : $this->runAfterCall(...);
        (new Worker($connection, $settings, $serve, $hooks))->run();
        return STATUS_OK;
    }

    private function runAfterCall(ServerContext $context, int $status): void
    {
        foreach ($this->afterCall as $hook) {
            try {
                $hook($context, $status);
            } catch (Throwable $error) {
                Log::error("uncaught exception after {$context->method()}: $error");
            }
        }
    }

    private function statusOf(IncomingCall $call, ServerContext $context, Output $output): int
    {
        $unary = $call->kind === MethodDescriptor::UNARY_CALL;
        try {
            $unary ? $this->serveUnary($call, $context, $output) : $this->serveStream($call, $context, $output);
        } catch (CallCancelled) {
            return STATUS_CANCELLED;
        }
        return $context->statusCode();
    }

    /** PHP logs a fatal error itself, but nothing else tells why the call ended. */
    public static function logExit(string $method): void
    {
        if (((error_get_last()['type'] ?? 0) & self::FATAL_ERRORS) === 0) {
            Log::error("$method called exit, so the call fails: return, or throw a StatusException");
        }
    }

    private function serveUnary(IncomingCall $call, ServerContext $context, Output $output): void
    {
        $message = '';
        try {
            $method = $this->findMethod($call);
            $request = static fn (): Message => ServerCallReader::parse($method->request_type, $call->message());
            /** @var ?Message $response */
            $response = $this->interceptors === []
                ? $method->service->{$method->method_name}($request(), $context)
                : $this->intercepted(new InterceptedCall($method, $context, $request));
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
        $kind = $method->call_type;
        $reader = new ServerCallReader($call, $method->request_type);
        $one = static fn (): Message => $reader->read()
            ?? throw new StatusException(STATUS_UNIMPLEMENTED, 'the request message is missing');
        $response = $this->intercepted(match ($kind) {
            MethodDescriptor::SERVER_STREAMING_CALL => new InterceptedCall($method, $context, $one, writer: $writer),
            MethodDescriptor::CLIENT_STREAMING_CALL => new InterceptedCall($method, $context, reader: $reader),
            default => new InterceptedCall($method, $context, reader: $reader, writer: $writer),
        });
        if ($kind === MethodDescriptor::CLIENT_STREAMING_CALL) {
            $writer->finish(self::responseToSend($context, $response));
        }
    }

    /** From the last interceptor, which is next to the method, to the first. */
    private function intercepted(InterceptedCall $call): ?Message
    {
        $next = static fn (InterceptedCall $call): ?Message => $call->serve();
        foreach (array_reverse($this->interceptors) as $interceptor) {
            $next = static fn (InterceptedCall $call): ?Message => $interceptor($call, $next);
        }
        return $next($call);
    }

    /** @throws StatusException */
    private function findMethod(IncomingCall $call): MethodDescriptor
    {
        $method = $this->methods[$call->method]
            ?? throw new StatusException(STATUS_UNIMPLEMENTED, "unknown method $call->method");
        if (!$call->isProtobuf()) {
            throw new StatusException(STATUS_UNIMPLEMENTED, 'only messages in protobuf are supported: application/grpc+proto');
        }
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
