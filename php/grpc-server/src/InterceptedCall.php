<?php

declare(strict_types=1);

namespace Grpc;

use Closure;
use Google\Protobuf\Internal\Message;

/** A call on its way through the interceptors to the method of a service: what the method will get. */
final class InterceptedCall
{
    private ?Message $request = null;

    /**
     * @param (Closure(): ?Message)|null $parse
     * @param ServerCallReader|null $reader of the requests, if the client streams; null if there is one request
     * @param ServerCallWriter|null $writer of the answers, if the server streams; null if there is one response
     */
    public function __construct(
        public readonly MethodDescriptor $method,
        public readonly ServerContext $context,
        private readonly ?Closure $parse = null,
        public readonly ?ServerCallReader $reader = null,
        public readonly ?ServerCallWriter $writer = null,
    ) {
    }

    /**
     * The request, if the client does not stream. It is parsed when first needed, so that a call can be refused before.
     *
     * @throws CallCancelled
     * @throws StatusException
     */
    public function request(): ?Message
    {
        return $this->request ??= $this->parse === null ? null : ($this->parse)();
    }

    /** The same call with another request. */
    public function withRequest(Message $request): self
    {
        return new self($this->method, $this->context, static fn (): Message => $request, $this->reader, $this->writer);
    }

    /** The same call with another reader, usually a ForwardingReader. */
    public function withReader(ServerCallReader $reader): self
    {
        return new self($this->method, $this->context, $this->parse, $reader, $this->writer);
    }

    /** The same call with another writer, usually a ForwardingWriter. */
    public function withWriter(ServerCallWriter $writer): self
    {
        // The request may be parsed already, and cannot be read twice.
        $request = $this->parse === null ? null : $this->request(...);
        return new self($this->method, $this->context, $request, $this->reader, $writer);
    }

    /** Calls the method of the service: its response, if the server does not stream. */
    public function serve(): ?Message
    {
        /** @var callable(mixed...): ?Message $serve */
        $serve = [$this->method->service, $this->method->method_name];
        switch ($this->method->call_type) {
            case MethodDescriptor::UNARY_CALL:
                return $serve($this->request(), $this->context);
            case MethodDescriptor::CLIENT_STREAMING_CALL:
                return $serve($this->reader, $this->context);
            case MethodDescriptor::SERVER_STREAMING_CALL:
                $serve($this->request(), $this->writer, $this->context);
                return null;
            default:
                $serve($this->reader, $this->writer, $this->context);
                return null;
        }
    }
}
