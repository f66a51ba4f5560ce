<?php

declare(strict_types=1);

namespace Grpc;

use Throwable;

/** Runs the one call that php-fpm was asked for on a service made from a generated server stub. Unary only. */
final class RpcServer
{
    /** @var array<string, MethodDescriptor> */
    private array $methods = [];

    /** @return array<string, MethodDescriptor> */
    public function handle(object $service): array
    {
        return $this->methods = $service->getMethodDescriptors() + $this->methods;
    }

    public function answer(IncomingCall $call, string $message): Answer
    {
        $method = $this->methods[$call->method] ?? null;
        if ($method === null || $method->call_type !== MethodDescriptor::UNARY_CALL) {
            return new Answer(Status::status(STATUS_UNIMPLEMENTED, "unknown method $call->method"));
        }
        try {
            $request = new $method->request_type();
            $request->mergeFromString($message);
        } catch (Throwable $error) {
            // As gRPC for C++, Go, Python and Node.js have it.
            error_log("request of $call->method does not parse: {$error->getMessage()}");
            return new Answer(Status::status(STATUS_INTERNAL, 'request does not parse'));
        }
        try {
            return self::call($method, $request, new ServerContext($call));
        } catch (Throwable $error) {
            error_log("uncaught in $call->method: $error");
            return new Answer(Status::status(STATUS_UNKNOWN, 'uncaught exception'));
        }
    }

    private static function call(MethodDescriptor $method, object $request, ServerContext $context): Answer
    {
        $response = $method->service->{$method->method_name}($request, $context);
        $status = $context->status() ?? Status::ok();
        if ($status['code'] !== STATUS_OK) {
            return new Answer($status, '', $context->initialMetadata());
        }
        if ($response === null) {
            throw new \LogicException('a method gave neither a response nor a status');
        }
        return new Answer($status, $response->serializeToString(), $context->initialMetadata());
    }
}
