<?php

declare(strict_types=1);

namespace Grpc;

use Closure;

/**
 * What goes to the proxy: header fields, and then the message of a unary call, or the frames of a streaming one.
 * Anything else that PHP prints goes to the log instead.
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

    /** Left true by a script that died within a write. */
    private bool $inFrame = false;

    /** @return bool false if PHP has sent something already, so that no answer can be given */
    public function begin(): bool
    {
        // Otherwise a write to a client that is gone ends PHP where it stands, without any finally block.
        ignore_user_abort(true);
        // A fatal error for want of memory is displayed past any buffer.
        ini_set('display_errors', '0');
        ini_set('log_errors', '1');
        // php.ini's own buffer would hold the frames back.
        $this->release();
        $possible = !$this->headersSent();
        if ($possible) {
            // Stands if the script ends before there is an answer: by exit, or by a fatal error.
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
        $this->release();
        $this->sendFields($fields);
        $this->send($message, '');
        $this->capture();
    }

    /** Begins the answer of a streaming call; what is sent goes out with the first frame. */
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
     * Has what was written so far go out, the header fields too.
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

    /** Finds out by writing, as there is no other way: after a while again, not each time. */
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

    /** Whether a frame that is written now would be seen as one. */
    public function usable(): bool
    {
        return !$this->inFrame && !$this->aborted();
    }

    /** Has $end run when the script ends, whichever way it does. */
    public function onShutdown(Closure $end): void
    {
        register_shutdown_function($end);
    }

    protected function headersSent(): bool
    {
        if (!headers_sent($file, $line)) {
            return false;
        }
        error_log("no answer is possible: output began at $file:$line, before the call");
        // Without a status it counts as OK, and as a message what was sent; this keeps it from being one.
        $this->send("\xff", '');
        return true;
    }

    /** @param list<string> $fields instead of all that were set before, by PHP (X-Powered-By) or by a library */
    protected function sendFields(array $fields): void
    {
        header_remove();
        header('Content-Type: application/grpc');
        foreach ($fields as $field) {
            header($field, false);
        }
        // Some names have header() change it: WWW-Authenticate makes it 401.
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

    /** Until the next release(), or the end of the script. */
    protected function capture(): void
    {
        $this->captured ??= function (string $text, int $phase): string {
            // Cleaned by release(), which has logged it, or by the service.
            if (($phase & PHP_OUTPUT_HANDLER_CLEAN) === 0) {
                $this->logStray($text);
            }
            return '';
        };
        ob_start($this->captured, self::STRAY_BYTES);
    }

    protected function release(): void
    {
        while (ob_get_level() > 0 && is_string($text = ob_get_clean())) {
            $this->logStray($text);
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
            error_log('printed, and sent to no one: ' . substr($text, 0, $this->strayBytesLeft));
            $this->strayBytesLeft -= strlen($text);
        }
    }
}
