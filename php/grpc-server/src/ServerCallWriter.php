<?php

declare(strict_types=1);

namespace Grpc;

use Google\Protobuf\Internal\Message;
use LogicException;

/**
 * Writes the answer of a streaming call. The option "flags" of a message takes WRITE_NO_COMPRESS, and WRITE_BUFFER_HINT
 * if it may wait for the next one.
 */
final class ServerCallWriter
{
    private bool $started = false;
    private bool $finished = false;

    public function __construct(private readonly Output $output, private readonly ServerContext $context)
    {
    }

    /**
     * Sends the initial metadata, without waiting for a message.
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
        $this->begin();
        $this->output->flushFields();
    }

    /**
     * @param array{flags?: int} $options
     * @throws CallCancelled
     */
    public function write(Message $data, array $options = []): void
    {
        $message = $data->serializeToString();
        $flags = $options['flags'] ?? 0;
        $this->begin();
        $this->output->message(
            $message,
            ($flags & WRITE_NO_COMPRESS) === 0 && $this->context->compression() !== 'identity',
            ($flags & WRITE_BUFFER_HINT) === 0,
        );
    }

    /**
     * Ends the call with the context's status. The server does it for a service that does not.
     *
     * @param array{flags?: int} $options
     * @throws CallCancelled
     */
    public function finish(?Message $data = null, array $options = []): void
    {
        if ($data !== null) {
            $this->write($data, ['flags' => ($options['flags'] ?? 0) | WRITE_BUFFER_HINT]);
        }
        $this->begin();
        $this->finished = true;
        $this->output->trailers($this->context);
    }

    /**
     * Ends the call for a script that has died, by exit or by a fatal error. Nothing else would tell the proxy: php-fpm
     * does not end a request before all of its input has come, and a client may wait for an answer before it sends more.
     */
    public function abandon(): void
    {
        if (!$this->finished && $this->output->usable()) {
            $this->context->setStatus(Status::status(STATUS_UNKNOWN, 'the script ended early'));
            $this->finish();
        }
    }

    public function finished(): bool
    {
        return $this->finished;
    }

    private function begin(): void
    {
        if ($this->finished) {
            throw new LogicException('the call is finished');
        }
        if (!$this->started) {
            $this->started = true;
            $this->output->start($this->context);
        }
    }
}
