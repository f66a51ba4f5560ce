<?php

declare(strict_types=1);

namespace Interop;

use Grpc\LoadReport;
use Grpc\ServerCallReader;
use Grpc\ServerCallWriter;
use Grpc\ServerContext;
use Grpc\Status;
use Grpc\StatusException;
use Grpc\Testing\BoolValue;
use Grpc\Testing\EchoStatus;
use Grpc\Testing\Payload;
use Grpc\Testing\PayloadType;
use Grpc\Testing\PBEmpty;
use Grpc\Testing\ResponseParameters;
use Grpc\Testing\SimpleRequest;
use Grpc\Testing\SimpleResponse;
use Grpc\Testing\StreamingInputCallRequest;
use Grpc\Testing\StreamingInputCallResponse;
use Grpc\Testing\StreamingOutputCallRequest;
use Grpc\Testing\StreamingOutputCallResponse;
use Grpc\Testing\TestOrcaReport;
use Grpc\Testing\TestServiceStub;

use const Grpc\STATUS_INVALID_ARGUMENT;
use const Grpc\WRITE_NO_COMPRESS;

/**
 * The server of gRPC's interoperability tests.
 * https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md#server
 */
final class TestService extends TestServiceStub
{
    private const ECHO_INITIAL = 'x-grpc-test-echo-initial';
    private const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin';

    /** Every client accepts this encoding. */
    private const COMPRESSION = 'gzip';

    public function EmptyCall(PBEmpty $request, ServerContext $context): PBEmpty
    {
        self::echoMetadata($context);
        return new PBEmpty();
    }

    public function UnaryCall(SimpleRequest $request, ServerContext $context): SimpleResponse
    {
        self::echoMetadata($context);
        self::checkCompression($request->getExpectCompressed(), $context);
        self::echoStatus($request->getResponseStatus(), $context);
        if ($request->getResponseCompressed()?->getValue()) {
            $context->setCompression(self::COMPRESSION);
        }
        $report = $request->getOrcaPerQueryReport();
        if ($report !== null) {
            $context->setLoadReport(self::loadReport($report));
        }
        $payload = self::zeros($request->getResponseType(), $request->getResponseSize());
        $response = new SimpleResponse(['payload' => $payload]);
        if ($request->getFillServerId()) {
            $response->setServerId(self::serverId());
        }
        return $response;
    }

    public function CacheableUnaryCall(SimpleRequest $request, ServerContext $context): SimpleResponse
    {
        self::echoMetadata($context, ['cache-control' => ['public, max-age=60']]);
        $nanoseconds = sprintf('%.0f', microtime(true) * 1e9);
        return new SimpleResponse(['payload' => new Payload(['body' => $nanoseconds])]);
    }

    public function StreamingOutputCall(
        StreamingOutputCallRequest $request,
        ServerCallWriter $writer,
        ServerContext $context,
    ): void {
        self::echoMetadata($context);
        $context->setCompression(self::COMPRESSION);
        self::respond($request, $writer);
        self::echoStatus($request->getResponseStatus(), $context);
    }

    public function StreamingInputCall(ServerCallReader $reader, ServerContext $context): StreamingInputCallResponse
    {
        self::echoMetadata($context);
        $size = 0;
        while (($request = $reader->read()) instanceof StreamingInputCallRequest) {
            self::checkCompression($request->getExpectCompressed(), $context);
            $size += strlen($request->getPayload()?->getBody() ?? '');
        }
        return new StreamingInputCallResponse(['aggregated_payload_size' => $size]);
    }

    public function FullDuplexCall(ServerCallReader $reader, ServerCallWriter $writer, ServerContext $context): void
    {
        self::echoMetadata($context);
        $context->setCompression(self::COMPRESSION);
        while (($request = $reader->read()) instanceof StreamingOutputCallRequest) {
            if (self::echoStatus($request->getResponseStatus(), $context)) {
                return;
            }
            $report = $request->getOrcaOobReport();
            if ($report !== null) {
                $context->setServerLoad(self::loadReport($report));
            }
            self::respond($request, $writer);
        }
    }

    public function HalfDuplexCall(ServerCallReader $reader, ServerCallWriter $writer, ServerContext $context): void
    {
        self::echoMetadata($context);
        $context->setCompression(self::COMPRESSION);
        $requests = [];
        while (($request = $reader->read()) instanceof StreamingOutputCallRequest) {
            $requests[] = $request;
        }
        foreach ($requests as $request) {
            self::respond($request, $writer);
        }
    }

    /** Identifies the proxy and all its workers, which are one server to a client. */
    private static function serverId(): string
    {
        return sprintf('%s:%s', gethostname(), $_SERVER['SERVER_PORT'] ?? '');
    }

    private static function loadReport(TestOrcaReport $report): LoadReport
    {
        return new LoadReport(
            cpuUtilization: $report->getCpuUtilization(),
            memoryUtilization: $report->getMemoryUtilization(),
            utilization: self::figures($report->getUtilization()),
            requestCost: self::figures($report->getRequestCost()),
        );
    }

    /**
     * @param iterable<mixed, mixed> $map
     * @return array<string, float>
     */
    private static function figures(iterable $map): array
    {
        $figures = [];
        foreach ($map as $name => $value) {
            if (is_float($value)) {
                $figures[(string) $name] = $value;
            }
        }
        return $figures;
    }

    private static function respond(StreamingOutputCallRequest $request, ServerCallWriter $writer): void
    {
        /** @var ResponseParameters $parameters */
        foreach ($request->getResponseParameters() as $parameters) {
            usleep(max(0, $parameters->getIntervalUs()));
            $payload = self::zeros($request->getResponseType(), $parameters->getSize());
            $compressed = $parameters->getCompressed()?->getValue() ?? false;
            $writer->write(
                new StreamingOutputCallResponse(['payload' => $payload]),
                ['flags' => $compressed ? 0 : WRITE_NO_COMPRESS],
            );
        }
    }

    /** @throws StatusException */
    private static function zeros(int $type, int $size): Payload
    {
        if ($type !== PayloadType::COMPRESSABLE) {
            throw new StatusException(STATUS_INVALID_ARGUMENT, "unsupported response type $type");
        }
        if ($size < 0) {
            throw new StatusException(STATUS_INVALID_ARGUMENT, "invalid response size $size");
        }
        return new Payload(['type' => $type, 'body' => str_repeat("\0", $size)]);
    }

    /** @throws StatusException */
    private static function checkCompression(?BoolValue $expected, ServerContext $context): void
    {
        if ($expected !== null && $expected->getValue() !== $context->messageCompressed()) {
            $actual = $context->messageCompressed() ? 'compressed' : 'uncompressed';
            throw new StatusException(STATUS_INVALID_ARGUMENT, "the request message was $actual");
        }
    }

    /** @return bool whether the request asks for a status, which ends the call */
    private static function echoStatus(?EchoStatus $status, ServerContext $context): bool
    {
        if ($status === null) {
            return false;
        }
        $context->setStatus(Status::status($status->getCode(), $status->getMessage()));
        return true;
    }

    /** @param array<string, list<string>> $initialMetadata sent in addition */
    private static function echoMetadata(ServerContext $context, array $initialMetadata = []): void
    {
        $metadata = $context->clientMetadata();
        $initial = $metadata[self::ECHO_INITIAL] ?? null;
        if ($initial !== null) {
            $initialMetadata[self::ECHO_INITIAL] = $initial;
        }
        $context->setInitialMetadata($initialMetadata);
        $trailing = $metadata[self::ECHO_TRAILING] ?? null;
        if ($trailing !== null) {
            $context->setTrailingMetadata([self::ECHO_TRAILING => $trailing]);
        }
    }
}
