<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Closure;
use Google\Protobuf\StringValue;
use Grpc\MethodDescriptor;
use Grpc\ServerCallReader;
use Grpc\ServerCallWriter;
use Grpc\ServerContext;

/** A service with a method of each kind, described as by a generated stub; each runs the same closure. */
final class ScriptedService
{
    /** @param Closure(mixed ...): mixed $method */
    public function __construct(private readonly Closure $method)
    {
    }

    public function Unary(StringValue $request, ServerContext $context): ?StringValue
    {
        return ($this->method)($request, $context);
    }

    public function ServerStream(StringValue $request, ServerCallWriter $writer, ServerContext $context): void
    {
        ($this->method)($request, $writer, $context);
    }

    public function ClientStream(ServerCallReader $reader, ServerContext $context): ?StringValue
    {
        return ($this->method)($reader, $context);
    }

    public function BidiStream(ServerCallReader $reader, ServerCallWriter $writer, ServerContext $context): void
    {
        ($this->method)($reader, $writer, $context);
    }

    /** @return array<string, MethodDescriptor> */
    public function getMethodDescriptors(): array
    {
        $methods = [];
        foreach (['Unary', 'ServerStream', 'ClientStream', 'BidiStream'] as $kind => $name) {
            $methods["/test.Scripted/$name"] = new MethodDescriptor($this, $name, StringValue::class, $kind);
        }
        return $methods;
    }
}
