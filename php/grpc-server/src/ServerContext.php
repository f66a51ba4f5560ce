<?php

declare(strict_types=1);

namespace Grpc;

use InvalidArgumentException;

/** The context of a call, which each method of a service receives. */
final class ServerContext
{
    private const ENCODINGS = ['identity', 'gzip', 'zstd'];

    /** The key of the initial metadata by which a service requests compression from the grpc extension. */
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

    private bool $worksOn = false;

    private ?LoadReport $loadReport = null;

    private ?LoadReport $serverLoad = null;

    /** @var array<string, mixed> */
    private array $values = [];

    /** @param Output|null $output null in the tests of a service */
    public function __construct(private readonly IncomingCall $call, private readonly ?Output $output = null)
    {
    }

    /** @return array<string, list<string>> keys are in lower case, values of -bin keys are decoded */
    public function clientMetadata(): array
    {
        return $this->clientMetadata ??= $this->call->metadata();
    }

    /** Timeval::infFuture() if the client has set no deadline. */
    public function deadline(): Timeval
    {
        $deadline = $this->call->deadline();
        // Not new Timeval(...): in the grpc extension that is a time span.
        return $deadline === null ? Timeval::infFuture() : Timeval::zero()->add(new Timeval($deadline));
    }

    /** The time until the deadline: 0 if it has expired, INF without one. */
    public function secondsLeft(): float
    {
        $deadline = $this->call->deadline();
        return $deadline === null ? INF : max(0.0, $deadline / 1e6 - microtime(true));
    }

    /**
     * Whether the deadline has expired, or the client is gone. Only a streaming call notices the latter, once its initial
     * metadata has been sent.
     */
    public function cancelled(): bool
    {
        return $this->secondsLeft() === 0.0 || ($this->output?->clientGone() ?? false);
    }

    /**
     * For a streaming call that does not end by itself: when its resident worker is to be replaced, its next read(), write() or
     * Wait, or the one in which it waits, throws a StatusException with UNAVAILABLE, upon which clients call again. Otherwise the
     * worker, and with it a reload of php-fpm, waits for the end of the call. Has no effect in a call by itself.
     */
    public function endWithWorker(): void
    {
        $this->output?->endWithWorker();
    }

    public function host(): string
    {
        return $this->call->host();
    }

    /** The address of the client and its port, as the proxy sees them: 192.0.2.1:50000 or [2001:db8::1]:50000. */
    public function peer(): string
    {
        return $this->call->peer();
    }

    /**
     * What the proxy knows of the client's TLS, as HTTPS, SSL_PROTOCOL, SSL_CLIENT_VERIFY, SSL_CLIENT_S_DN, SSL_CLIENT_I_DN,
     * SSL_CLIENT_SAN_DNS_0, ...; empty if the client's connection to the proxy has no TLS.
     *
     * @return array<string, string>
     */
    public function tls(): array
    {
        return $this->call->tls();
    }

    /** What the client speaks, for logs: grpc, grpc-web, connect or rest; empty if the proxy does not send it. */
    public function clientProtocol(): string
    {
        return $this->call->clientProtocol();
    }

    /** How the client encodes its messages, for logs: proto, json or other; empty if the proxy does not send it. */
    public function clientCodec(): string
    {
        return $this->call->clientCodec();
    }

    /** The path: /package.Service/Method. */
    public function method(): string
    {
        return $this->call->method;
    }

    /** Whether the client sent the last message compressed. */
    public function messageCompressed(): bool
    {
        return $this->call->messageCompressed();
    }

    /** Keeps a value for the rest of the call: an interceptor passes on whom it has authenticated. */
    public function setValue(string $key, mixed $value): void
    {
        $this->values[$key] = $value;
    }

    /** What setValue() has kept; null if nothing. */
    public function value(string $key): mixed
    {
        return $this->values[$key] ?? null;
    }

    /**
     * @param array<string, list<string>> $initialMetadata has no effect after the first message
     * @throws InvalidArgumentException
     */
    public function setInitialMetadata(array $initialMetadata): void
    {
        $encoding = $initialMetadata[self::ENCODING_REQUEST][0] ?? null;
        unset($initialMetadata[self::ENCODING_REQUEST]);
        if ($encoding !== null) {
            $this->setCompression($encoding);
        }
        Metadata::checkInitial($initialMetadata);
        $this->initialMetadata = $initialMetadata;
    }

    /** @return array<string, list<string>> */
    public function initialMetadata(): array
    {
        return $this->initialMetadata;
    }

    /**
     * @param array<string, list<string>> $trailingMetadata sent with any status, even that of an exception
     * @throws InvalidArgumentException
     */
    public function setTrailingMetadata(array $trailingMetadata): void
    {
        Metadata::checkTrailing($trailingMetadata);
        $this->trailingMetadata = $trailingMetadata;
    }

    /** @return array<string, list<string>> */
    public function trailingMetadata(): array
    {
        return $this->trailingMetadata;
    }

    /**
     * Requests compression of the answer: gzip, zstd, or identity for none. Messages stay plain if the client does not
     * accept the encoding. Has no effect after the first message; WRITE_NO_COMPRESS exempts single messages.
     */
    public function setCompression(string $encoding): void
    {
        if (!in_array($encoding, self::ENCODINGS, true)) {
            throw new InvalidArgumentException("unknown encoding $encoding, not one of " . implode(', ', self::ENCODINGS));
        }
        $this->compression = $encoding;
    }

    /**
     * Tells the proxy that this worker works on after the answer to a unary call, as after fastcgi_finish_request(): with
     * --fastcgi-keep-alive, the next call would wait for it. Has no effect in a resident worker.
     */
    public function setWorksOn(): void
    {
        $this->worksOn = true;
    }

    public function worksOn(): bool
    {
        return $this->worksOn;
    }

    public function compression(): string
    {
        return $this->compression;
    }

    /**
     * Reports on this call to a client that balances by it. The proxy adds what this does not say and the report of the
     * server does.
     */
    public function setLoadReport(LoadReport $report): void
    {
        $this->loadReport = $report;
    }

    public function loadReport(): ?LoadReport
    {
        return $this->loadReport;
    }

    /**
     * Reports on the whole server, in place of the last such report of any call, until the next one. The proxy has it when
     * this returns if the call streams and its initial metadata has been sent; else with the answer.
     *
     * @throws CallCancelled
     * @throws InvalidArgumentException
     */
    public function setServerLoad(LoadReport $report): void
    {
        $report->checkServer();
        $this->serverLoad = $report;
        $this->output?->serverLoad($report);
    }

    public function serverLoad(): ?LoadReport
    {
        return $this->serverLoad;
    }

    /**
     * @param array{code: int, details: string, metadata?: array<string, list<string>>|null} $status
     * @throws InvalidArgumentException
     */
    public function setStatus(array $status): void
    {
        if (!is_int($status['code'] ?? null) || !is_string($status['details'] ?? null)) {
            throw new InvalidArgumentException('a status must have an integer code and string details');
        }
        if (isset($status['metadata'])) {
            Metadata::checkTrailing($status['metadata']);
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
