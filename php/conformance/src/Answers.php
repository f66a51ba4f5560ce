<?php

declare(strict_types=1);

namespace Conformance;

use Connectrpc\Conformance\V1\BidiStreamResponse;
use Connectrpc\Conformance\V1\ConformancePayload;
use Connectrpc\Conformance\V1\ServerStreamResponse;
use Connectrpc\Conformance\V1\StreamResponseDefinition;
use Google\Protobuf\Internal\Message;
use Grpc\ServerCallWriter;
use Grpc\ServerContext;
use Grpc\StatusException;
use Grpc\Wait;

/** The answers of a stream, as its first request defines them. */
final class Answers
{
    private int $sent = 0;

    /** @param class-string<BidiStreamResponse|ServerStreamResponse> $response */
    public function __construct(
        private readonly StreamResponseDefinition $definition,
        private readonly Observed $observed,
        private readonly ServerCallWriter $writer,
        private readonly string $response,
    ) {
    }

    public function describe(ServerContext $context): void
    {
        $context->setInitialMetadata(Headers::metadata($this->definition->getResponseHeaders()));
        $context->setTrailingMetadata(Headers::metadata($this->definition->getResponseTrailers()));
    }

    /** Sends the header fields at once if there are answers. */
    public function begin(ServerContext $context): void
    {
        $this->describe($context);
        if (count($this->definition->getResponseData()) > 0) {
            $this->writer->start();
        }
    }

    /**
     * Sends the next answer.
     *
     * @param list<Message> $requests those that it tells of
     * @return bool false if there is none
     */
    public function next(array $requests): bool
    {
        $data = $this->definition->getResponseData();
        if ($this->sent >= count($data)) {
            return false;
        }
        $payload = new ConformancePayload(['data' => $data[$this->sent]]);
        if ($requests !== []) {
            $payload->setRequestInfo($this->sent === 0 ? $this->observed->info($requests) : Observed::requests($requests));
        }
        Wait::sleep($this->definition->getResponseDelayMs() / 1000);
        $this->writer->write(new $this->response(['payload' => $payload]));
        $this->sent++;
        return true;
    }

    /**
     * Sends the answers that are left, and the error.
     *
     * @param list<Message> $requests those that the first answer tells of
     * @throws StatusException
     */
    public function rest(array $requests): void
    {
        $first = $this->sent === 0;
        while ($this->next($first && $this->sent === 0 ? $requests : []));
        $error = $this->definition->getError();
        if ($error !== null) {
            throw Failure::of($error, $this->sent === 0 ? $this->observed->info($requests) : null);
        }
    }
}
