<?php

declare(strict_types=1);

namespace Conformance;

use Connectrpc\Conformance\V1\BidiStreamRequest;
use Connectrpc\Conformance\V1\BidiStreamResponse;
use Connectrpc\Conformance\V1\ClientStreamRequest;
use Connectrpc\Conformance\V1\ClientStreamResponse;
use Connectrpc\Conformance\V1\ConformancePayload;
use Connectrpc\Conformance\V1\ConformanceServiceStub;
use Connectrpc\Conformance\V1\IdempotentUnaryRequest;
use Connectrpc\Conformance\V1\IdempotentUnaryResponse;
use Connectrpc\Conformance\V1\ServerStreamRequest;
use Connectrpc\Conformance\V1\ServerStreamResponse;
use Connectrpc\Conformance\V1\StreamResponseDefinition;
use Connectrpc\Conformance\V1\UnaryRequest;
use Connectrpc\Conformance\V1\UnaryResponse;
use Connectrpc\Conformance\V1\UnaryResponseDefinition;
use Google\Protobuf\Internal\Message;
use Grpc\ServerCallReader;
use Grpc\ServerCallWriter;
use Grpc\ServerContext;
use Grpc\StatusException;
use Grpc\Wait;

/**
 * The service of Connect's conformance tests, as its contract describes it.
 * https://github.com/connectrpc/conformance/blob/main/proto/connectrpc/conformance/v1/service.proto
 */
final class Service extends ConformanceServiceStub
{
    public function Unary(UnaryRequest $request, ServerContext $context): UnaryResponse
    {
        $payload = self::answer($request->getResponseDefinition(), new Observed($context), [$request], $context);
        return new UnaryResponse(['payload' => $payload]);
    }

    public function IdempotentUnary(IdempotentUnaryRequest $request, ServerContext $context): IdempotentUnaryResponse
    {
        $payload = self::answer($request->getResponseDefinition(), new Observed($context), [$request], $context);
        return new IdempotentUnaryResponse(['payload' => $payload]);
    }

    public function ClientStream(ServerCallReader $reader, ServerContext $context): ClientStreamResponse
    {
        $observed = new Observed($context);
        $requests = [];
        while (($request = $reader->read()) instanceof ClientStreamRequest) {
            $requests[] = $request;
        }
        $definition = $requests === [] ? null : $requests[0]->getResponseDefinition();
        return new ClientStreamResponse(['payload' => self::answer($definition, $observed, $requests, $context)]);
    }

    public function ServerStream(ServerStreamRequest $request, ServerCallWriter $writer, ServerContext $context): void
    {
        $definition = $request->getResponseDefinition();
        if ($definition !== null) {
            $answers = new Answers($definition, new Observed($context), $writer, ServerStreamResponse::class);
            $answers->begin($context);
            $answers->rest([$request]);
        }
    }

    public function BidiStream(ServerCallReader $reader, ServerCallWriter $writer, ServerContext $context): void
    {
        $observed = new Observed($context);
        $answers = null;
        $requests = [];
        $fullDuplex = false;
        while (($request = $reader->read()) instanceof BidiStreamRequest) {
            if ($answers === null) {
                $definition = $request->getResponseDefinition() ?? new StreamResponseDefinition();
                $answers = new Answers($definition, $observed, $writer, BidiStreamResponse::class);
                $fullDuplex = $request->getFullDuplex();
                $fullDuplex ? $answers->begin($context) : $answers->describe($context);
            }
            $requests[] = $request;
            if ($fullDuplex) {
                if (!$answers->next($requests)) {
                    break;
                }
                $requests = [];
            }
        }
        $answers?->rest($requests);
    }

    /**
     * @param list<Message> $requests
     * @throws StatusException
     */
    private static function answer(
        ?UnaryResponseDefinition $definition,
        Observed $observed,
        array $requests,
        ServerContext $context,
    ): ConformancePayload {
        $info = $observed->info($requests);
        if ($definition === null) {
            return new ConformancePayload(['request_info' => $info]);
        }
        $context->setInitialMetadata(Headers::metadata($definition->getResponseHeaders()));
        $context->setTrailingMetadata(Headers::metadata($definition->getResponseTrailers()));
        Wait::sleep($definition->getResponseDelayMs() / 1000);
        $error = $definition->getError();
        if ($error !== null) {
            throw Failure::of($error, $info);
        }
        return new ConformancePayload(['data' => $definition->getResponseData(), 'request_info' => $info]);
    }
}
