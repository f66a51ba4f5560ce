<?php

declare(strict_types=1);

namespace Grpc;

use Closure;

/**
 * Writes the answer to the proxy: header fields, and then the message of a unary call, or the frames of a streaming one.
 * Everything else that PHP prints goes to the log.
 */
class Output
{
    private const PROBE_NANOSECONDS = 50_000_000;
    private const STRAY_BYTES = 4096;
    private const STRAY_BYTES_LOGGED = 1000;

    private bool $streaming = false;
    private int $probed = 0;
    private int $strayBytesLeft = self::STRAY_BYTES_LOGGED;
    private ?Closure $captured = null;
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
            $this->sendFields(['grpc-status: ' . STATUS_UNKNOWN]);
        }
        $this->capture();
        return $possible;
    }

    public function answer(ServerContext $context, string $message): void
    {
        $fields = self::initialFields($context);
        foreach (Trailers::of($context) as [$key, $value]) {
            $fields[] = str_starts_with($key, 'grpc-') ? "$key: $value" : "grpc-trailer-$key: $value";
        }
        if ($this->release()) {
            $this->sendFields($fields);
            $this->send($message, '');
        }
        $this->capture();
    }

    /** Starts the answer to a streaming call. PHP sends the header fields with the first frame. */
    public function start(ServerContext $context): void
    {
        $this->streaming = true;
        $this->sendFields(self::initialFields($context));
    }

    /** @throws CallCancelled */
    public function message(string $message, bool $compress, bool $flush): void
    {
        $this->frame($compress ? FrameFlags::COMPRESSED : 0, $message, $flush);
    }

    /**
     * Flushes the header fields before there is a message.
     *
     * @throws CallCancelled
     */
    public function flushFields(): void
    {
        $this->frame(FrameFlags::NOOP, '', true);
    }

    /** @throws CallCancelled */
    public function trailers(ServerContext $context): void
    {
        $lines = '';
        foreach (Trailers::of($context) as [$key, $value]) {
            $lines .= "$key: $value\r\n";
        }
        $this->frame(FrameFlags::TRAILERS, $lines, true);
    }

    /** Whether the client is gone. PHP notices that only when it writes, so this writes a no-op frame from time to time. */
    public function clientGone(): bool
    {
        if ($this->streaming && !$this->aborted()) {
            $now = hrtime(true);
            if ($now - $this->probed > self::PROBE_NANOSECONDS) {
                $this->probed = $now;
                $this->write(FrameFlags::NOOP, '', true);
            }
        }
        return $this->aborted();
    }

    /** Whether another frame can be sent: the last one is complete, and the client is not gone. */
    public function usable(): bool
    {
        return !$this->inFrame && !$this->aborted();
    }

    /** Runs $end when the script ends, even by exit or by a fatal error. */
    public function onShutdown(Closure $end): void
    {
        register_shutdown_function($end);
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

    /** @param list<string> $fields replace all that PHP (X-Powered-By) or a library has set */
    protected function sendFields(array $fields): void
    {
        header_remove();
        header('Content-Type: application/grpc');
        foreach ($fields as $field) {
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
        $this->captured ??= function (string $text, int $phase): string {
            // Skips what release() has logged, and what the service has discarded.
            if (($phase & PHP_OUTPUT_HANDLER_CLEAN) === 0) {
                $this->logStray($text);
            }
            return '';
        };
        ob_start($this->captured, self::STRAY_BYTES);
    }

    /**
     * Removes all output buffers, so that the answer is all that PHP sends.
     *
     * @return bool false if a service has started a buffer that cannot be removed; the call has failed then
     */
    protected function release(): bool
    {
        while (ob_get_level() > 0) {
            if ((ob_get_status()['flags'] & PHP_OUTPUT_HANDLER_REMOVABLE) === 0) {
                $this->failUnremovable();
                return false;
            }
            $this->logStray((string) ob_get_clean());
        }
        return true;
    }

    /** What is in such a buffer comes before the answer, so the header fields must be the whole answer. */
    private function failUnremovable(): void
    {
        if (!$this->unremovableLogged) {
            $this->unremovableLogged = true;
            error_log("no answer is possible: an output buffer cannot be removed; ob_start() needs PHP_OUTPUT_HANDLER_REMOVABLE");
        }
        if (!headers_sent()) {
            $this->sendFields(['grpc-status: ' . STATUS_INTERNAL, 'grpc-message: the service holds an output buffer']);
        }
    }

    /** @return list<string> */
    private static function initialFields(ServerContext $context): array
    {
        $fields = [];
        if ($context->compression() !== 'identity') {
            $fields[] = 'grpc-encoding: ' . $context->compression();
        }
        if ($context->initialMetadata() !== []) {
            foreach (Metadata::encode($context->initialMetadata()) as [$key, $value]) {
                $fields[] = "$key: $value";
            }
        }
        return $fields;
    }

    /** @throws CallCancelled */
    private function frame(int $flags, string $content, bool $flush): void
    {
        $this->write($flags, $content, $flush);
        if ($this->aborted()) {
            throw new CallCancelled('the client is gone');
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
            error_log('discarded output: ' . substr($text, 0, $this->strayBytesLeft));
            $this->strayBytesLeft -= strlen($text);
        }
    }
}
