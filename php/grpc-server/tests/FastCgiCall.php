<?php

declare(strict_types=1);

namespace Grpc\Tests;

use RuntimeException;

/** The proxy's side of one call, step by step. */
final class FastCgiCall
{
    private const BEGIN_REQUEST = 1;
    private const END_REQUEST = 3;
    private const PARAMS = 4;
    private const STDIN = 5;
    private const STDOUT = 6;
    private const STDERR = 7;
    private const MAX_CONTENT = 65528;

    /** PHP's protobuf runtime takes seconds of CPU time to serialize a large message, and a worker is silent meanwhile. */
    private const TIMEOUT_SECONDS = 60;

    /** @var resource */
    private $connection;
    private string $out = '';
    private bool $ended = false;

    /** The content of FastCGI's STDERR. */
    public string $log = '';

    /** @param array<string, string> $variables */
    public function __construct(string $address, array $variables)
    {
        $this->connection = stream_socket_client($address);
        stream_set_timeout($this->connection, self::TIMEOUT_SECONDS);
        $this->write(self::BEGIN_REQUEST, pack('nCx5', 1, 0));
        $pairs = '';
        foreach ($variables as $name => $value) {
            $pairs .= pack('NN', strlen($name) | 1 << 31, strlen($value) | 1 << 31) . $name . $value;
        }
        $this->write(self::PARAMS, $pairs);
        $this->write(self::PARAMS, '');
    }

    public function send(string $bytes): void
    {
        for ($at = 0; $at < strlen($bytes); $at += self::MAX_CONTENT) {
            $this->write(self::STDIN, substr($bytes, $at, self::MAX_CONTENT));
        }
    }

    public function endInput(): void
    {
        $this->write(self::STDIN, '');
    }

    public function close(): void
    {
        fclose($this->connection);
    }

    /** @return list<string> header fields, in lower case */
    public function fields(): array
    {
        while (($end = strpos($this->out, "\r\n\r\n")) === false) {
            $this->readRecord() || throw new RuntimeException("the answer ended within its header fields: $this->out");
        }
        $fields = substr($this->out, 0, $end);
        $this->out = substr($this->out, $end + 4);
        return explode("\r\n", strtolower($fields));
    }

    /** @return array{int, string}|null flags and content of the next frame; null at the end */
    public function frame(): ?array
    {
        $header = $this->take(5);
        if ($header === null) {
            return null;
        }
        ['flags' => $flags, 'length' => $length] = unpack('Cflags/Nlength', $header);
        return [$flags, $this->take($length) ?? throw new RuntimeException('the answer ended within a frame')];
    }

    /** The rest of the answer. */
    public function rest(): string
    {
        while ($this->readRecord());
        return $this->out;
    }

    public function awaitLog(string $text): void
    {
        while (!str_contains($this->log, $text)) {
            $this->readRecord() || throw new RuntimeException("the answer ended, and the log is $this->log");
        }
    }

    private function take(int $length): ?string
    {
        while (strlen($this->out) < $length) {
            if (!$this->readRecord()) {
                return null;
            }
        }
        $taken = substr($this->out, 0, $length);
        $this->out = substr($this->out, $length);
        return $taken;
    }

    private function write(int $type, string $content): void
    {
        fwrite($this->connection, pack('CCnnCx', 1, $type, 1, strlen($content), 0) . $content);
    }

    private function readRecord(): bool
    {
        if ($this->ended) {
            return false;
        }
        ['type' => $type, 'length' => $length, 'padding' => $padding]
            = unpack('Cversion/Ctype/nid/nlength/Cpadding/x', $this->readBytes(8));
        $content = substr($this->readBytes($length + $padding), 0, $length);
        match ($type) {
            self::STDOUT => $this->out .= $content,
            self::STDERR => $this->log .= $content,
            // A worker waits until the connection is closed.
            self::END_REQUEST => [$this->ended = true, $this->close()],
        };
        return true;
    }

    private function readBytes(int $length): string
    {
        $bytes = '';
        while (strlen($bytes) < $length) {
            $read = fread($this->connection, $length - strlen($bytes));
            if ($read === '' || $read === false) {
                throw new RuntimeException("php-fpm closed the connection or timed out; the answer so far: $this->out");
            }
            $bytes .= $read;
        }
        return $bytes;
    }
}
