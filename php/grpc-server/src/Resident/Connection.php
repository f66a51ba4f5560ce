<?php

declare(strict_types=1);

namespace Grpc\Resident;

use Closure;

/** The connection to the proxy: reads and writes many frames at once, and never blocks. */
final class Connection
{
    private const CONNECT_SECONDS = 5.0;
    private const READ_BYTES = 65_536;

    /** Written in pieces of about this size, because the rest of a piece is copied if only a part of it can be written. */
    private const WRITE_BYTES = 262_144;
    private const LAST_WRITE_SECONDS = 2;

    /** What may wait, and in nanoseconds for how long, to be written together with what other calls send. */
    private const MAX_DEFERRED_BYTES = 65_536;
    private const MAX_DEFERRED_TIME = 200_000;

    private string $in = '';
    private int $at = 0;

    /** @var list<string> full pieces, which are written before $out */
    private array $pieces = [];
    private string $out = '';
    private ?int $deferredSince = null;
    private readonly Closure $ignore;

    public bool $closed = false;

    // The frame that next() has found.
    public int $type = 0;
    public int $call = 0;
    public string $payload = '';

    /** @param resource $socket */
    public function __construct(public readonly mixed $socket)
    {
        stream_set_blocking($socket, false);
        stream_set_read_buffer($socket, 0);
        // The error handlers of an application often throw.
        $this->ignore = static fn (): bool => true;
    }

    /** @return self|string the reason why there is no connection */
    public static function open(string $address): self|string
    {
        set_error_handler(static fn (): bool => true);
        $socket = stream_socket_client($address, $number, $reason, self::CONNECT_SECONDS);
        restore_error_handler();
        return $socket === false ? "$reason ($number)" : new self($socket);
    }

    /** Reads what is there. */
    public function read(): void
    {
        if ($this->closed) {
            return;
        }
        set_error_handler($this->ignore);
        do {
            $bytes = (string) fread($this->socket, self::READ_BYTES);
            if ($this->at > 0) {
                $this->in = substr($this->in, $this->at);
                $this->at = 0;
            }
            $this->in .= $bytes;
        } while (strlen($bytes) === self::READ_BYTES && strlen($this->in) < Frame::MAX_PAYLOAD);
        if ($bytes === '' && feof($this->socket)) {
            $this->closed = true;
        }
        restore_error_handler();
    }

    /**
     * Takes the next frame from what has been read.
     *
     * @return bool false if none is complete
     * @throws ProtocolError
     */
    public function next(): bool
    {
        $left = strlen($this->in) - $this->at;
        if ($left < Frame::HEADER_BYTES) {
            return false;
        }
        /** @var array{head: int, call: int} $header */
        $header = unpack('Nhead/Ncall', $this->in, $this->at);
        $this->call = $header['call'];
        $this->type = $header['head'] & 0xff;
        $length = $header['head'] >> 8;
        if ($length > Frame::MAX_PAYLOAD) {
            throw new ProtocolError("a frame of $length bytes");
        }
        if ($left < Frame::HEADER_BYTES + $length) {
            return false;
        }
        $this->payload = substr($this->in, $this->at + Frame::HEADER_BYTES, $length);
        $this->at += Frame::HEADER_BYTES + $length;
        return true;
    }

    public function send(int $type, int $call, string $payload): void
    {
        if (strlen($this->out) >= self::WRITE_BYTES) {
            $this->pieces[] = $this->out;
            $this->out = '';
        }
        $this->out .= pack('NN', strlen($payload) << 8 | $type, $call) . $payload;
    }

    /** Whether something waits until the proxy reads. */
    public function pending(): bool
    {
        return !$this->closed && ($this->out !== '' || $this->pieces !== []);
    }

    /** Lets flushDeferred() write what has been sent, unless that is much. $now is a time of hrtime(). */
    public function defer(int $now): void
    {
        if (strlen($this->out) >= self::MAX_DEFERRED_BYTES) {
            $this->flush();
        } else {
            $this->deferredSince ??= $now;
        }
    }

    /** @param int|null $now unless everything is due */
    public function flushDeferred(?int $now = null): void
    {
        if ($this->deferredSince !== null && ($now === null || $now - $this->deferredSince >= self::MAX_DEFERRED_TIME)) {
            $this->flush();
        }
    }

    /** Writes what the proxy takes now. @return bool whether that is all */
    public function flush(): bool
    {
        $this->deferredSince = null;
        if ($this->closed || ($this->out === '' && $this->pieces === [])) {
            return true;
        }
        set_error_handler($this->ignore);
        while ($this->pieces !== [] && $this->write($this->pieces[0])) {
            array_shift($this->pieces);
        }
        $whole = $this->pieces === [] && $this->write($this->out);
        restore_error_handler();
        return $whole;
    }

    /** Waits until all is written, but not for long. */
    public function close(): void
    {
        if (!is_resource($this->socket)) {
            return;
        }
        if ($this->pending()) {
            stream_set_blocking($this->socket, true);
            stream_set_timeout($this->socket, self::LAST_WRITE_SECONDS);
            $this->flush();
        }
        $this->closed = true;
        fclose($this->socket);
    }

    private function write(string &$bytes): bool
    {
        $written = $bytes === '' ? 0 : fwrite($this->socket, $bytes);
        if ($written === strlen($bytes)) {
            $bytes = '';
            return true;
        }
        if ($written === false) {
            // What the proxy has sent before can still be read, but nobody would get the answers.
            $this->closed = true;
        } else {
            $bytes = substr($bytes, $written);
        }
        return false;
    }
}
