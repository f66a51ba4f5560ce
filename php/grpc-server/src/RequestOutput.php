<?php

declare(strict_types=1);

namespace Grpc;

use Closure;

/** The answer as the output of the current php-fpm request. Everything else that PHP prints goes to the log. */
class RequestOutput extends Output
{
    private const PROBE_NANOSECONDS = 50_000_000;
    private const STRAY_BYTES_LOGGED = 1000;

    /** More would keep a service in a loop that removes buffers until none is left. */
    private const MAX_RECAPTURES = 10;

    private bool $streaming = false;
    private int $probed = 0;
    private int $strayBytesLeft = self::STRAY_BYTES_LOGGED;
    private bool $ended = false;
    private bool $releasing = false;
    private int $recaptures = 0;
    private ?Closure $captured = null;
    private ?Closure $removed = null;

    /** @var list<string> */
    private array $fields = [];
    private bool $fieldsSent = false;
    private bool $printedLogged = false;
    private bool $unremovableLogged = false;

    /** Stays true if the script dies within a write. */
    private bool $inFrame = false;

    /** @return bool false if PHP has already sent output, so that no answer is possible */
    public function begin(): bool
    {
        // Otherwise a write after the client has gone ends the script at once, without its finally blocks.
        ignore_user_abort(true);
        // PHP displays a fatal out-of-memory error past all buffers.
        ini_set('display_errors', '0');
        ini_set('log_errors', '1');
        // The buffer that php.ini sets up would hold frames back.
        $this->release();
        $possible = !$this->headersSent();
        if ($possible) {
            // Applies if the script ends without an answer: by exit, or by a fatal error.
            $this->sendFields(['grpc-status: ' . STATUS_UNKNOWN, 'grpc-message: the script ended early']);
        }
        $this->capture();
        return $possible;
    }

    protected function unary(array $fields, string $message): void
    {
        if ($this->release() && !$this->printed()) {
            $this->sendFields($fields);
            $this->fieldsSent = true;
            $this->send($message, '');
        }
        $this->ended = true;
        $this->capture();
    }

    /** PHP sends the header fields with the first frame. */
    protected function begun(array $fields): void
    {
        $this->streaming = true;
        if (!$this->printed()) {
            $this->sendFields($fields);
            $this->fieldsSent = true;
        }
    }

    protected function frame(int $flags, string $content, bool $flush): void
    {
        if ($flags === FrameFlags::TRAILERS) {
            $this->ended = true;
        }
        $this->write($flags, $content, $flush);
        if ($this->aborted()) {
            throw new CallCancelled('the client is gone');
        }
    }

    protected function initialFields(ServerContext $context): array
    {
        return [...($context->worksOn() ? ['connection: close'] : []), ...parent::initialFields($context)];
    }

    /** Whether the client is gone. PHP notices that only when it writes, so this writes a no-op frame from time to time. */
    public function clientGone(): bool
    {
        if ($this->streaming && !$this->aborted()) {
            $now = (int) hrtime(true);
            if ($now - $this->probed > self::PROBE_NANOSECONDS) {
                $this->probed = $now;
                $this->write(FrameFlags::NOOP, '', true);
            }
        }
        return $this->aborted();
    }

    public function usable(): bool
    {
        return !$this->inFrame && !$this->aborted();
    }

    public function onShutdown(Closure $end): void
    {
        register_shutdown_function(static function () use ($end): void {
            $end();
        });
    }

    protected function headersSent(): bool
    {
        if (!headers_sent($file, $line)) {
            return false;
        }
        // Without a status the call would be OK, with the output as its message. The proxy fails it after a fatal error.
        error_log("PHP Fatal error:  no answer is possible: output began at $file:$line, before the call");
        // Where PHP's log does not reach the proxy, this byte makes the message invalid.
        $this->send("\xff", '');
        return true;
    }

    /** Where the service has printed past the output buffer, so that PHP has sent the header fields without an answer. */
    protected function printedAt(): ?string
    {
        return headers_sent($file, $line) ? "$file:$line" : null;
    }

    /** @param list<string> $fields replace all that PHP (X-Powered-By) or a library has set */
    protected function sendFields(array $fields): void
    {
        $this->fields = $fields;
        $this->setFields();
        // PHP sends them with the first output. Without any, a shutdown function or a destructor could still set others.
        header_register_callback($this->setFields(...));
    }

    private function setFields(): void
    {
        header_remove();
        header('Content-Type: application/grpc');
        foreach ($this->fields as $field) {
            header($field, false);
        }
        // header() changes the HTTP status for some names: WWW-Authenticate makes it 401.
        http_response_code(200);
    }

    protected function send(string $first, string $second): void
    {
        echo $first, $second;
    }

    protected function flush(): void
    {
        flush();
    }

    protected function aborted(): bool
    {
        return connection_aborted() === 1;
    }

    /** Captures what PHP prints until the next release(), or until the script ends. */
    protected function capture(): void
    {
        $this->captured ??= $this->logStray(...);
        $this->removed ??= $this->recapture(...);
        Capture::start($this->captured, $this->removed);
    }

    /** Starts another buffer in place of one that a service has removed. */
    private function recapture(): void
    {
        if ($this->releasing) {
            return;
        }
        if ($this->recaptures < self::MAX_RECAPTURES) {
            $this->recaptures++;
            $this->capture();
        } elseif (!$this->ended) {
            Log::warning('the service removes all output buffers: what it prints before its next message breaks the call');
        }
    }

    /** Whether an answer is impossible, because the service has printed past the output buffer. */
    private function printed(): bool
    {
        $at = $this->fieldsSent ? null : $this->printedAt();
        if ($at !== null && !$this->printedLogged) {
            $this->printedLogged = true;
            Log::error("no answer is possible: the service removed all output buffers, and printed at $at");
        }
        return $at !== null;
    }

    /**
     * Removes all output buffers, so that the answer is all that PHP sends.
     *
     * @return bool false if a service has started a buffer that cannot be removed; the call has failed then
     */
    protected function release(): bool
    {
        $this->recaptures = 0;
        $this->releasing = true;
        while (ob_get_level() > 0 && (ob_get_status()['flags'] & PHP_OUTPUT_HANDLER_REMOVABLE) !== 0) {
            $this->logStray((string) ob_get_clean());
        }
        $this->releasing = false;
        if (ob_get_level() > 0) {
            $this->failUnremovable();
            return false;
        }
        return true;
    }

    /** What is in such a buffer comes before the answer, so the header fields must be the whole answer. */
    private function failUnremovable(): void
    {
        if (!$this->unremovableLogged) {
            $this->unremovableLogged = true;
            Log::error("no answer is possible: an output buffer cannot be removed; ob_start() needs PHP_OUTPUT_HANDLER_REMOVABLE");
        }
        if (!headers_sent()) {
            $this->sendFields(['grpc-status: ' . STATUS_INTERNAL, 'grpc-message: the service holds an output buffer']);
        }
    }

    private function write(int $flags, string $content, bool $flush): void
    {
        $this->release();
        $this->inFrame = true;
        $this->send(pack('CN', $flags, strlen($content)), $content);
        $this->inFrame = false;
        if ($flush) {
            $this->flush();
        }
        $this->capture();
    }

    private function logStray(string $text): void
    {
        if ($text !== '' && $this->strayBytesLeft > 0) {
            Log::warning('discarded output: ' . substr($text, 0, $this->strayBytesLeft));
            $this->strayBytesLeft -= strlen($text);
        }
    }
}
