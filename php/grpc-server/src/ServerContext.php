<?php

declare(strict_types=1);

namespace Grpc;

/** One call, as the methods of a service see it. */
final class ServerContext
{
    /** @var array<string, list<string>> */
    private array $initialMetadata = [];

    /** @var array{code: int, details: string, metadata?: array<string, list<string>>}|null */
    private ?array $status = null;

    /** @param object{metadata: array<string, list<string>>, host: string, method: string} $event */
    public function __construct(private readonly object $event)
    {
    }

    /** @return array<string, list<string>> values of -bin keys are decoded */
    public function clientMetadata(): array
    {
        return $this->event->metadata;
    }

    public function host(): string
    {
        return $this->event->host;
    }

    public function method(): string
    {
        return $this->event->method;
    }

    /** @param array<string, list<string>> $initialMetadata */
    public function setInitialMetadata(array $initialMetadata): void
    {
        $this->initialMetadata = $initialMetadata;
    }

    /** @return array<string, list<string>> */
    public function initialMetadata(): array
    {
        return $this->initialMetadata;
    }

    /** @param array{code: int, details: string, metadata?: array<string, list<string>>} $status */
    public function setStatus(array $status): void
    {
        $this->status = $status;
    }

    /** @return array{code: int, details: string, metadata?: array<string, list<string>>}|null */
    public function status(): ?array
    {
        return $this->status;
    }
}
