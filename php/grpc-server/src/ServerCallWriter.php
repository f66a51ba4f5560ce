<?php

declare(strict_types=1);

namespace Grpc;

use Google\Protobuf\Internal\Message;
use LogicException;

/**
 * Writes the answer to a streaming call. The option "flags" of a message takes WRITE_NO_COMPRESS, and WRITE_BUFFER_HINT,
 * which delays the flush until the next message.
 */
class ServerCallWriter
{
    private AnswerState $state = AnswerState::NotStarted;

    public function __construct(private readonly Output $output, private readonly ServerContext $context)
    {
    }

    /**
     * Sends the initial metadata without waiting for the first message.
     *
     * @param array{flags?: int} $options
     * @throws CallCancelled
     */
    public function start(?Message $data = null, array $options = []): void
    {
        if ($data !== null) {
            $this->write($data, $options);
            return;
        }
        $this->ensureStarted();
        $this->output->flushFields();
    }

    /**
     * @param array{flags?: int} $options
     * @throws CallCancelled
     */
    public function write(Message $data, array $options = []): void
    {
        $this->writeSerialized($data->serializeToString(), $options);
    }

    /**
     * Writes a message that serializeToString() has returned: once, for a message that many calls send.
     *
     * @param array{flags?: int} $options
     * @throws CallCancelled
     */
    public function writeSerialized(string $message, array $options = []): void
    {
        $flags = $options['flags'] ?? 0;
        $this->ensureStarted();
        $this->output->message(
            $message,
            compress: ($flags & WRITE_NO_COMPRESS) === 0 && $this->context->compression() !== 'identity',
            flush: ($flags & WRITE_BUFFER_HINT) === 0,
        );
    }

    /**
     * Ends the call with the status of the context. RpcServer calls it after a service that has not.
     *
     * @param array{flags?: int} $options
     * @throws CallCancelled
     */
    public function finish(?Message $data = null, array $options = []): void
    {
        if ($data !== null) {
            $this->write($data, ['flags' => ($options['flags'] ?? 0) | WRITE_BUFFER_HINT]);
        }
        $this->ensureStarted();
        $this->state = AnswerState::Finished;
        $this->output->trailers($this->context);
    }

    /**
     * Ends the call after exit or a fatal error. The proxy would not notice otherwise: php-fpm ends a request only after
     * all of its input, and a client may wait for an answer before it sends more.
     *
     * @param array{code: int, details: string}|null $status by default that of a call that has ended its own script
     */
    public function finishOnShutdown(?array $status = null): void
    {
        if (!$this->finished() && $this->output->usable()) {
            $this->context->setStatus($status ?? Status::status(STATUS_UNKNOWN, 'the script ended early'));
            $this->finish();
        }
    }

    public function finished(): bool
    {
        return $this->state === AnswerState::Finished;
    }

    private function ensureStarted(): void
    {
        if ($this->state === AnswerState::Finished) {
            throw new LogicException('the call is finished');
        }
        if ($this->state === AnswerState::NotStarted) {
            $this->state = AnswerState::Started;
            $this->output->start($this->context);
        }
    }
}
