<?php

declare(strict_types=1);

namespace Grpc;

use InvalidArgumentException;

/** One call, as the methods of a service see it. */
final class ServerContext
{
    private const ENCODINGS = ['identity', 'gzip', 'zstd'];

    /** The key by which a service asks the grpc extension for compression. */
    private const ENCODING_REQUEST = 'grpc-internal-encoding-request';

    /** @var array<string, list<string>>|null */
    private ?array $clientMetadata = null;

    /** @var array<string, list<string>> */
    private array $initialMetadata = [];

    /** @var array<string, list<string>> */
    private array $trailingMetadata = [];

    /** @var array{code: int, details: string, metadata?: array<string, list<string>>|null}|null */
    private ?array $status = null;

    private string $compression = 'identity';

    /** @param Output|null $output none in the tests of a service */
    public function __construct(private readonly IncomingCall $call, private readonly ?Output $output = null)
    {
    }

    /** @return array<string, list<string>> keys are in lower case, values of -bin keys are decoded */
    public function clientMetadata(): array
    {
        return $this->clientMetadata ??= $this->call->metadata();
    }

    /** When the client stops waiting; Timeval::infFuture() if it said nothing. */
    public function deadline(): Timeval
    {
        $deadline = $this->call->deadline();
        // Not new Timeval(...): to the grpc extension that is a span of time.
        return $deadline === null ? Timeval::infFuture() : Timeval::zero()->add(new Timeval($deadline));
    }

    /** Until the deadline: 0 if it is over, INF if there is none. */
    public function secondsLeft(): float
    {
        $deadline = $this->call->deadline();
        return $deadline === null ? INF : max(0.0, $deadline / 1e6 - microtime(true));
    }

    /**
     * Whether there is no one left to answer: the deadline is over, or the client is gone, which only a streaming call
     * notices, and not before its initial metadata has been sent.
     */
    public function cancelled(): bool
    {
        return $this->secondsLeft() === 0.0 || ($this->output?->clientGone() ?? false);
    }

    public function host(): string
    {
        return $this->call->host();
    }

    /** The path: /package.Service/Method. */
    public function method(): string
    {
        return $this->call->method;
    }

    /** Whether the message that was read last came compressed. */
    public function messageCompressed(): bool
    {
        return $this->call->messageCompressed();
    }

    /**
     * @param array<string, list<string>> $initialMetadata without effect once the first message is written
     * @throws InvalidArgumentException
     */
    public function setInitialMetadata(array $initialMetadata): void
    {
        $encoding = $initialMetadata[self::ENCODING_REQUEST][0] ?? null;
        unset($initialMetadata[self::ENCODING_REQUEST]);
        if ($encoding !== null) {
            $this->setCompression($encoding);
        }
        Metadata::check($initialMetadata);
        $this->initialMetadata = $initialMetadata;
    }

    /** @return array<string, list<string>> */
    public function initialMetadata(): array
    {
        return $this->initialMetadata;
    }

    /**
     * @param array<string, list<string>> $trailingMetadata sent with any status, that of an exception too
     * @throws InvalidArgumentException
     */
    public function setTrailingMetadata(array $trailingMetadata): void
    {
        Metadata::check($trailingMetadata);
        $this->trailingMetadata = $trailingMetadata;
    }

    /** @return array<string, list<string>> */
    public function trailingMetadata(): array
    {
        return $this->trailingMetadata;
    }

    /**
     * Asks for compressed answers: gzip, zstd, or identity for none. A client that does not accept the encoding gets
     * plain ones. Without effect once the first message is written; WRITE_NO_COMPRESS leaves out single messages.
     */
    public function setCompression(string $encoding): void
    {
        if (!in_array($encoding, self::ENCODINGS, true)) {
            throw new InvalidArgumentException("unknown encoding $encoding: " . implode(', ', self::ENCODINGS));
        }
        $this->compression = $encoding;
    }

    public function compression(): string
    {
        return $this->compression;
    }

    /**
     * @param array{code: int, details: string, metadata?: array<string, list<string>>|null} $status
     * @throws InvalidArgumentException
     */
    public function setStatus(array $status): void
    {
        if (!is_int($status['code'] ?? null) || !is_string($status['details'] ?? null)) {
            throw new InvalidArgumentException('a status has a code and details');
        }
        if (isset($status['metadata'])) {
            Metadata::check($status['metadata']);
        }
        $this->status = $status;
    }

    /** @return array{code: int, details: string, metadata?: array<string, list<string>>|null}|null */
    public function status(): ?array
    {
        return $this->status;
    }

    /** OK unless setStatus() has set another code. */
    public function statusCode(): int
    {
        return $this->status['code'] ?? STATUS_OK;
    }
}
