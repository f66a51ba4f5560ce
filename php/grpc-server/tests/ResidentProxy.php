<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\Resident\Frame;
use RuntimeException;

/** The proxy's side of a resident worker: launches it, and keeps what it sends. */
final class ResidentProxy
{
    public const UNARY = 0;
    public const CLIENT_STREAM = 1;
    public const SERVER_STREAM = 2;
    public const BIDI_STREAM = 3;
    private const TIMEOUT_SECONDS = 10;

    /** The FastCGI request that the worker's script runs in. */
    public readonly FastCgiCall $request;

    /** @var resource */
    private $connection;
    private string $in = '';
    private int $calls = 0;

    public readonly string $secret;
    public string $hello = '';

    /** @var array<int, string> the number of a call => its answer so far */
    public array $answers = [];

    /** @var list<int> the calls that have ended, in order */
    public array $ended = [];

    /** @var array<int, int> the number of a call => the credit that the worker has returned */
    public array $credits = [];

    /** @var list<array{int, int, string}> call, level, and text */
    public array $logs = [];

    /** @var list<array{int, int}> busy microseconds and memory */
    public array $statuses = [];
    public bool $wantsToRetire = false;

    /** The call that EXIT names. */
    public ?int $exit = null;
    public bool $closed = false;

    /** Whether the proxy returns credit for what it receives, as for a client that takes all. */
    public bool $returnsCredit = true;

    /** @param array<string, string> $variables */
    public function __construct(PhpFpm $phpFpm, string $script, array $variables = [])
    {
        $path = sys_get_temp_dir() . '/resident-' . bin2hex(random_bytes(8));
        $this->secret = bin2hex(random_bytes(32));
        $listener = stream_socket_server("unix://$path");
        $this->request = $phpFpm->call($script, '/test.Resident/Launch', 'unary', $variables + [
            'GRPC_RESIDENT_ADDRESS' => "unix://$path",
            'GRPC_RESIDENT_SECRET' => $this->secret,
            'GRPC_RESIDENT_STREAMS' => '1000',
            'GRPC_RESIDENT_MAX_MEMORY' => '0',
            'CONTENT_LENGTH' => '0',
        ]);
        $this->request->endInput();
        $this->connection = @stream_socket_accept($listener, self::TIMEOUT_SECONDS)
            ?: throw new RuntimeException('no connection: ' . $this->request->rest() . $this->request->log);
        unlink($path);
        $this->until(fn (): bool => $this->hello !== '');
    }

    /**
     * Sends CALL.
     *
     * @param array{peer?: string, metadata?: string, deadline?: int, flags?: int} $more
     * @return int its number
     */
    public function call(string $name, int $kind, string $input = '', bool $ends = true, array $more = []): int
    {
        $this->raw($this->callFrame($name, $kind, $input, $ends, $more));
        return $this->calls;
    }

    /** @param array{peer?: string, metadata?: string, deadline?: int, flags?: int} $more */
    public function callFrame(string $name, int $kind, string $input, bool $ends = true, array $more = []): string
    {
        $path = str_starts_with($name, '/') ? $name : "/test.Scripted/$name";
        [$host, $peer, $metadata] = ['test', $more['peer'] ?? '192.0.2.1:50000', $more['metadata'] ?? ''];
        $flags = ($more['flags'] ?? 0) | ($ends ? 2 : 0);
        $lengths = pack('CCnnnNJ', $kind, $flags, strlen($path), strlen($host), strlen($peer), strlen($metadata), $more['deadline'] ?? 0);
        return self::frame(Frame::CALL, ++$this->calls, "$lengths$path$host$peer$metadata$input");
    }

    /** The number of the last CALL. */
    public function lastCall(): int
    {
        return $this->calls;
    }

    public function unary(string $text): int
    {
        return $this->call('Unary', self::UNARY, Call::message($text));
    }

    public function bidi(string ...$texts): int
    {
        return $this->call('BidiStream', self::BIDI_STREAM, Call::messages(...$texts), false);
    }

    public function send(int $type, int $call, string $payload = ''): void
    {
        $this->raw(self::frame($type, $call, $payload));
    }

    public static function frame(int $type, int $call, string $payload): string
    {
        return substr(pack('N', strlen($payload)), 1) . chr($type) . pack('N', $call) . $payload;
    }

    /** Does nothing if the worker has ended: what it has sent before can still be read. */
    public function raw(string $bytes): void
    {
        while ($bytes !== '' && ($written = @fwrite($this->connection, $bytes)) !== false) {
            $bytes = substr($bytes, $written);
        }
    }

    /** Waits for the end of a call. @return array{list<string>, string} header fields, and the message or frames */
    public function answer(int $call): array
    {
        $this->until(fn (): bool => in_array($call, $this->ended, true));
        $parts = explode("\r\n\r\n", $this->answers[$call], 2);
        return count($parts) === 2 ? [explode("\r\n", $parts[0]), $parts[1]] : [[], ''];
    }

    /** @return list<array{int, string}> the whole frames of a streaming call's answer so far */
    public function frames(int $call): array
    {
        $body = explode("\r\n\r\n", $this->answers[$call] ?? '', 2)[1] ?? '';
        for ($whole = 0; strlen($body) - $whole >= 5; $whole = $next) {
            $next = $whole + 5 + unpack('N', $body, $whole + 1)[1];
            if ($next > strlen($body)) {
                break;
            }
        }
        return Frames::decode(substr($body, 0, $whole));
    }

    /** @return list<array{int, string}> */
    public function awaitFrames(int $call, int $count): array
    {
        $this->until(fn (): bool => count($this->frames($call)) >= $count);
        return $this->frames($call);
    }

    /** Lets the worker end. @return string what it has written to STDERR */
    public function retire(): string
    {
        $this->send(Frame::RETIRE, 0);
        return $this->awaitEnd();
    }

    /** @return string what the worker has written to STDERR */
    public function awaitEnd(): string
    {
        $this->until(fn (): bool => $this->closed);
        $this->request->rest();
        return $this->request->log;
    }

    public function close(): void
    {
        fclose($this->connection);
        $this->closed = true;
    }

    public function until(callable $condition): void
    {
        while (!$condition()) {
            if ($this->closed) {
                $this->request->rest();
                throw new RuntimeException('the worker has ended: ' . $this->request->log . json_encode($this->logs));
            }
            $this->receive();
        }
    }

    private function receive(): void
    {
        stream_set_timeout($this->connection, self::TIMEOUT_SECONDS);
        $bytes = @fread($this->connection, 1 << 16);
        if ($bytes === '' || $bytes === false) {
            if (!feof($this->connection)) {
                throw new RuntimeException('timed out: ' . json_encode([$this->ended, $this->logs]));
            }
            $this->closed = true;
        }
        $this->in .= $bytes;
        $at = 0;
        while (strlen($this->in) - $at >= 8) {
            ['head' => $head, 'call' => $call] = unpack('Nhead/Ncall', $this->in, $at);
            if (strlen($this->in) - $at < 8 + ($head >> 8)) {
                break;
            }
            $payload = substr($this->in, $at + 8, $head >> 8);
            $at += 8 + ($head >> 8);
            $this->take($head & 0xff, $call, $payload);
        }
        $this->in = substr($this->in, $at);
    }

    private function take(int $type, int $call, string $payload): void
    {
        match ($type) {
            Frame::HELLO => $this->hello = $payload,
            Frame::DATA, Frame::END => $this->takeAnswer($call, $payload, $type === Frame::END),
            Frame::CREDIT => $this->credits[$call] = ($this->credits[$call] ?? 0) + unpack('N', $payload)[1],
            Frame::LOG => $this->logs[] = [$call, ord($payload[0]), substr($payload, 1)],
            Frame::STATUS => $this->statuses[] = array_values(unpack('Jbusy/Jmemory', $payload)),
            Frame::RETIRE => $this->wantsToRetire = true,
            Frame::EXIT => $this->exit = $call,
        };
    }

    private function takeAnswer(int $call, string $payload, bool $end): void
    {
        if (in_array($call, $this->ended, true)) {
            throw new RuntimeException("call $call goes on after its end");
        }
        $this->answers[$call] ??= '';
        $this->answers[$call] .= $payload;
        if ($end) {
            $this->ended[] = $call;
        } elseif ($this->returnsCredit) {
            $this->send(Frame::CREDIT, $call, pack('N', strlen($payload)));
        }
    }
}
