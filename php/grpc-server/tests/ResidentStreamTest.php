<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\FrameFlags;
use Grpc\Resident\Frame;
use PHPUnit\Framework\Attributes\DataProvider;

/** Streaming calls of a resident worker. */
final class ResidentStreamTest extends ResidentTestCase
{
    private const QUICK = 12;
    private const OK = [FrameFlags::TRAILERS, "grpc-status: 0\r\n"];

    /** @var array<int, int> the number of a call => how much of its input was sent */
    private array $sent = [];

    public function test_a_bidi_stream_is_answered_message_by_message(): void
    {
        $call = $this->proxy->bidi('a');
        self::assertSame([[0, Call::message('a')]], $this->proxy->awaitFrames($call, 1));
        $this->proxy->send(Frame::DATA, $call, Call::messages('b'));
        self::assertSame([0, Call::message('b')], $this->proxy->awaitFrames($call, 2)[1]);
        $this->proxy->send(Frame::END, $call, Call::messages('c'));
        self::assertSame(['content-type: application/grpc'], $this->proxy->answer($call)[0]);
        self::assertSame([[0, Call::message('c')], self::OK], array_slice($this->proxy->frames($call), 2));
        self::assertSame('finally', self::notes()[0]);
    }

    public function test_frames_of_messages_may_arrive_byte_by_byte(): void
    {
        $call = $this->proxy->call('ClientStream', ResidentProxy::CLIENT_STREAM, '', false);
        foreach (str_split(Call::messages('a', str_repeat('b', 100), 'c')) as $byte) {
            $this->proxy->send(Frame::DATA, $call, $byte);
        }
        $this->proxy->send(Frame::END, $call);
        $this->proxy->answer($call);
        self::assertSame([[0, Call::message('102')], self::OK], $this->proxy->frames($call));
    }

    public function test_large_messages_take_turns_in_the_memory_of_the_worker(): void
    {
        $this->proxy->retire();
        $this->launch(['MEMORY_LIMIT' => '32M']);
        // Of three that do not end, two fit into a quarter of the memory.
        $message = Call::messages(str_repeat('x', 3 << 20));
        $calls = array_map(fn (): int => $this->sendAlmostAll($message), range(1, 3));
        self::assertSame('small', $this->execute('small'));
        $this->proxy->send(Frame::END, $calls[0], substr($message, -1));
        $this->proxy->answer($calls[0]);
        foreach (array_slice($calls, 1) as $call) {
            $this->sendRest($call, $message);
            self::assertSame([[0, Call::message((string) (3 << 20))], self::OK], $this->proxy->frames($call));
        }
    }

    public function test_a_message_does_not_wait_long_for_one_that_stalls(): void
    {
        $this->proxy->retire();
        $this->launch(['MEMORY_LIMIT' => '32M']);
        $message = Call::messages(str_repeat('x', 7 << 20));
        $this->sendAlmostAll($message);
        $waiting = $this->sendAlmostAll($message);
        $this->proxy->answer($waiting);
        [[, $trailers]] = $this->proxy->frames($waiting);
        self::assertStringContainsString("grpc-status: 8\r\n", $trailers);
    }

    public function test_200_streams_run_at_once(): void
    {
        $calls = [];
        for ($i = 0; $i < 200; $i++) {
            $calls[] = $this->proxy->bidi("first $i");
        }
        foreach ($calls as $i => $call) {
            self::assertSame([[0, Call::message("first $i")]], $this->proxy->awaitFrames($call, 1));
            $this->proxy->send(Frame::END, $call, Call::messages("second $i"));
        }
        foreach ($calls as $i => $call) {
            $this->proxy->answer($call);
            self::assertSame([[0, Call::message("second $i")], self::OK], array_slice($this->proxy->frames($call), 1));
        }
    }

    public function test_an_answer_waits_for_credit_and_nothing_waits_for_it(): void
    {
        $this->proxy->returnsCredit = false;
        $call = $this->proxy->bidi('large 1048576');
        $this->proxy->until(fn (): bool => strlen($this->proxy->answers[$call] ?? '') >= Frame::FIRST_CREDIT);
        self::assertSame('other', $this->execute('other'));
        self::assertSame(Frame::FIRST_CREDIT, strlen($this->proxy->answers[$call]));
        $this->proxy->send(Frame::CREDIT, $call, pack('N', 10));
        $this->proxy->until(fn (): bool => strlen($this->proxy->answers[$call]) > Frame::FIRST_CREDIT);
        self::assertSame('another', $this->execute('another'));
        self::assertSame(Frame::FIRST_CREDIT + 10, strlen($this->proxy->answers[$call]));
        $this->proxy->returnsCredit = true;
        $this->proxy->send(Frame::CREDIT, $call, pack('N', Frame::FIRST_CREDIT));
        $this->proxy->send(Frame::END, $call);
        $this->proxy->answer($call);
        self::assertTrue([[0, Call::message(str_repeat('x', 1 << 20))], self::OK] === $this->proxy->frames($call));
    }

    public function test_credit_returns_as_the_handler_takes_its_input(): void
    {
        $call = $this->proxy->call('ClientStream', ResidentProxy::CLIENT_STREAM, '', false);
        $input = Call::messages(str_repeat('x', 1 << 20), 'end');
        for ($sent = 0; $sent < strlen($input); $sent += strlen($piece)) {
            $credit = fn (): int => Frame::FIRST_CREDIT + ($this->proxy->credits[$call] ?? 0) - $sent;
            $this->proxy->until(static fn (): bool => $credit() > 0);
            self::assertLessThanOrEqual(Frame::FIRST_CREDIT, $credit());
            $piece = substr($input, $sent, $credit());
            $this->proxy->send(Frame::DATA, $call, $piece);
        }
        $this->proxy->send(Frame::END, $call);
        $this->proxy->answer($call);
        self::assertSame([[0, Call::message((string) ((1 << 20) + 3))], self::OK], $this->proxy->frames($call));
    }

    public function test_a_handler_that_does_not_read_gets_no_credit(): void
    {
        [$listener, $address] = self::listener();
        $call = $this->proxy->bidi("wait $address");
        $socket = stream_socket_accept($listener);
        $this->proxy->send(Frame::DATA, $call, str_repeat(Call::messages('x'), 7000));
        self::assertSame('other', $this->execute('other'));
        self::assertSame([], $this->proxy->credits);
        fwrite($socket, "\n");
        $this->proxy->awaitFrames($call, 7001);
        self::assertGreaterThan(0, $this->proxy->credits[$call]);
    }

    /** @dataProvider suspendedHandlers */
    #[DataProvider('suspendedHandlers')]
    public function test_cancellation_reaches_a_suspended_handler(int $kind, string $name, string $input): void
    {
        $this->proxy->returnsCredit = false;
        $call = $this->proxy->call($name, $kind, Call::messages(...($input === '' ? [] : [$input])), false);
        self::assertSame('other', $this->execute('other'));
        $this->proxy->send(Frame::CANCEL, $call);
        $this->proxy->answer($call);
        $this->proxy->retire();
        $notes = ['after /test.Scripted/Unary 0', 'finally', "after /test.Scripted/$name 1", 'end', 'status 0'];
        self::assertSame($notes, self::notes());
    }

    /** @return array<string, array{int, string, string}> */
    public static function suspendedHandlers(): array
    {
        return [
            'read' => [ResidentProxy::CLIENT_STREAM, 'ClientStream', 'a'],
            'read within a message' => [ResidentProxy::BIDI_STREAM, 'BidiStream', ''],
            'write' => [ResidentProxy::SERVER_STREAM, 'ServerStream', str_repeat('x', 1000)],
            'write within a message' => [ResidentProxy::BIDI_STREAM, 'BidiStream', 'large 1000000'],
            'sleep' => [ResidentProxy::BIDI_STREAM, 'BidiStream', 'sleep 3600'],
        ];
    }

    public function test_cancellation_reaches_a_handler_that_runs_at_its_next_write(): void
    {
        $call = $this->endless();
        $this->proxy->send(Frame::CANCEL, $call);
        $this->proxy->answer($call);
        self::assertSame('finally', self::notes()[0]);
    }

    public function test_a_handler_that_never_waits_lets_others_run(): void
    {
        $call = $this->endless();
        self::assertSame('other', $this->execute('other'));
        $other = $this->proxy->bidi('a');
        $this->proxy->awaitFrames($other, 1);
        self::assertNotContains($call, $this->proxy->ended);
    }

    /** @dataProvider blockingCalls */
    #[DataProvider('blockingCalls')]
    public function test_no_message_waits_for_a_handler_that_may_block(string $kind): void
    {
        [$listener, $address] = self::listener();
        [$call, $answers] = $kind === 'itself' ? [$this->proxy->bidi('a'), 1] : [$this->quick(), self::QUICK];
        $this->proxy->awaitFrames($call, $answers);
        $texts = $kind === 'itself' ? ['last', "block $address"] : ['last'];
        $message = ResidentProxy::frame(Frame::DATA, $call, Call::messages(...$texts));
        $this->proxy->raw($message . match ($kind) {
            'unary' => $this->proxy->callFrame('Unary', ResidentProxy::UNARY, Call::message("block $address")),
            'stream' => $this->proxy->callFrame('BidiStream', ResidentProxy::BIDI_STREAM, Call::messages("block $address"), false),
            'itself' => '',
        });
        $socket = stream_socket_accept($listener);
        self::assertSame([0, Call::message('last')], $this->proxy->awaitFrames($call, $answers + 1)[$answers]);
        fwrite($socket, "\n");
    }

    /** @return list<array{string}> */
    public static function blockingCalls(): array
    {
        return [['unary'], ['stream'], ['itself']];
    }

    public function test_a_message_arrives_even_if_another_call_ends_the_script(): void
    {
        [$call, $other] = [$this->quick(), $this->quick()];
        $this->proxy->raw(
            ResidentProxy::frame(Frame::DATA, $call, Call::messages('last'))
            . ResidentProxy::frame(Frame::DATA, $other, Call::messages('exit')),
        );
        $this->proxy->answer($call);
        [$last, [$flags, $trailers]] = array_slice($this->proxy->frames($call), self::QUICK);
        self::assertSame([0, Call::message('last')], $last);
        self::assertSame(FrameFlags::TRAILERS, $flags);
        self::assertStringStartsWith("grpc-status: 14\r\n", $trailers);
    }

    public function test_a_handler_that_waits_for_a_socket_holds_nothing(): void
    {
        [$listener, $address] = self::listener();
        $waiting = [$this->proxy->bidi("wait $address"), $this->proxy->bidi("wait $address")];
        $sockets = [stream_socket_accept($listener), stream_socket_accept($listener)];
        self::assertSame('other', $this->execute('other'));
        foreach ([1, 0] as $i) {
            fwrite($sockets[$i], "text\n");
            self::assertSame([[0, Call::message("text\n")]], $this->proxy->awaitFrames($waiting[$i], 1));
        }
    }

    public function test_sleeping_handlers_wake_in_the_order_of_their_times(): void
    {
        $slow = $this->proxy->bidi('sleep 1');
        $fast = $this->proxy->bidi('sleep 0.01');
        $this->proxy->send(Frame::END, $slow);
        $this->proxy->send(Frame::END, $fast);
        self::assertSame([0, Call::message('slept')], $this->proxy->awaitFrames($fast, 1)[0]);
        self::assertSame([0, Call::message('slept')], $this->proxy->awaitFrames($slow, 1)[0]);
        $this->proxy->answer($slow);
        self::assertSame([$fast, $slow], $this->proxy->ended);
    }

    public function test_an_exception_fails_its_stream_alone(): void
    {
        $other = $this->proxy->bidi('a');
        $call = $this->proxy->bidi('throw');
        $this->proxy->answer($call);
        $trailers = "grpc-status: 2\r\ngrpc-message: uncaught exception\r\n";
        self::assertSame([[FrameFlags::TRAILERS, $trailers]], $this->proxy->frames($call));
        $this->proxy->send(Frame::END, $other, Call::messages('b'));
        $this->proxy->answer($other);
        self::assertSame([[0, Call::message('a')], [0, Call::message('b')], self::OK], $this->proxy->frames($other));
    }

    public function test_what_a_call_prints_is_logged_up_to_a_bound(): void
    {
        $call = $this->proxy->bidi(...array_fill(0, 200, 'print'));
        $this->proxy->awaitFrames($call, 200);
        $this->proxy->send(Frame::END, $call, Call::messages(...array_fill(0, 200, 'print')));
        $this->proxy->answer($call);
        self::assertSame('other', $this->execute('other'));
        $logged = str_replace('discarded output: ', '', implode(array_column($this->proxy->logs, 2)));
        self::assertSame(substr(str_repeat('printed', 200), 0, 1000), $logged);
    }

    public function test_frames_for_a_call_that_is_over_are_ignored(): void
    {
        $call = $this->proxy->bidi('throw');
        $this->proxy->answer($call);
        $this->proxy->send(Frame::DATA, $call, 'x');
        $this->proxy->send(Frame::CREDIT, $call, pack('N', 1));
        $this->proxy->send(Frame::CANCEL, $call);
        $this->proxy->send(Frame::END, $call);
        self::assertSame('other', $this->execute('other'));
    }

    /** A call that has answered several messages, and waited soon after each. */
    private function quick(): int
    {
        $call = $this->proxy->bidi();
        for ($i = 1; $i <= self::QUICK; $i++) {
            $this->proxy->send(Frame::DATA, $call, Call::messages('a'));
            $this->proxy->awaitFrames($call, $i);
        }
        return $call;
    }

    /** A call whose handler writes for ever, and always has credit. */
    private function endless(): int
    {
        $this->proxy->returnsCredit = false;
        $call = $this->proxy->call('ServerStream', ResidentProxy::SERVER_STREAM, Call::messages('x'), false);
        // Less than the worker's memory, in case that it sends faster than this test reads.
        $this->proxy->send(Frame::CREDIT, $call, pack('N', 1 << 26));
        $this->proxy->until(fn (): bool => strlen($this->proxy->answers[$call] ?? '') > 2 * Frame::FIRST_CREDIT);
        return $call;
    }

    /** Begins a stream, and sends all but the last byte as far as there is credit for it. */
    private function sendAlmostAll(string $message): int
    {
        $call = $this->proxy->call('ClientStream', ResidentProxy::CLIENT_STREAM, '', false);
        $this->sent[$call] = 0;
        $this->sendAllowed($call, substr($message, 0, -1));
        return $call;
    }

    private function sendRest(int $call, string $message): void
    {
        while ($this->sent[$call] < strlen($message)) {
            $this->proxy->until(fn (): bool => $this->credit($call) > 0);
            $this->sendAllowed($call, $message);
        }
        $this->proxy->send(Frame::END, $call);
        $this->proxy->answer($call);
    }

    private function sendAllowed(int $call, string $message): void
    {
        // Credit comes at once for what the worker takes.
        while ($this->sent[$call] < strlen($message) && $this->creditSoon($call)) {
            $piece = substr($message, $this->sent[$call], $this->credit($call));
            $this->proxy->send(Frame::DATA, $call, $piece);
            $this->sent[$call] += strlen($piece);
        }
    }

    private function credit(int $call): int
    {
        return Frame::FIRST_CREDIT + ($this->proxy->credits[$call] ?? 0) - $this->sent[$call];
    }

    /** A unary call is answered behind what has come before it. */
    private function creditSoon(int $call): bool
    {
        if ($this->credit($call) === 0) {
            $this->execute('nothing');
        }
        return $this->credit($call) > 0;
    }
}
