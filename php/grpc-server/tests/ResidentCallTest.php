<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\Resident\Frame;
use PHPUnit\Framework\Attributes\DataProvider;

/** Unary calls of a resident worker, and what they leave behind. */
final class ResidentCallTest extends ResidentTestCase
{
    public function test_a_worker_that_has_calls_in_its_queue_does_not_sleep(): void
    {
        $seconds = [];
        for ($round = 0; $round < 3; $round++) {
            $this->proxy->retire();
            // An answer is sent before the hook, so there must be none.
            $this->launch(['NO_HOOK' => '1']);
            $frames = $calls = [];
            // The first one is longer than the time after which the worker looks for what else there is to do.
            foreach (['hold 0.006', 'a', 'b', 'c'] as $command) {
                $frames[] = $this->proxy->callFrame('Unary', ResidentProxy::UNARY, Call::message($command));
                $calls[] = $this->proxy->lastCall();
            }
            $began = hrtime(true);
            $this->proxy->raw(implode($frames));
            array_walk($calls, fn (int $call) => $this->proxy->answer($call));
            $seconds[] = (hrtime(true) - $began) / 1e9;
        }
        // An idle worker sleeps for a second.
        self::assertLessThan(0.9, min($seconds));
    }

    public function test_says_hello_with_its_secret_and_process_id(): void
    {
        self::assertSame("\x01" . $this->proxy->secret, substr($this->proxy->hello, 0, 65));
        $process = unpack('N', $this->proxy->hello, 65)[1];
        self::assertStringContainsString('php-fpm', (string) file_get_contents("/proc/$process/cmdline"));
    }

    public function test_the_secret_is_in_no_variable_when_a_call_runs(): void
    {
        self::assertSame('hidden', $this->execute("secret {$this->proxy->secret}"));
    }

    public function test_state_stays_between_calls(): void
    {
        self::assertSame(['1', '2'], [$this->execute('count'), $this->execute('count')]);
        self::assertSame(['grpc-status: 0'], $this->proxy->answer($this->proxy->unary(''))[0]);
    }

    public function test_a_service_sees_the_call(): void
    {
        $more = ['peer' => '[2001:db8::1]:1234', 'metadata' => "a: 1\na: 2\n", 'deadline' => 1_000_000];
        $call = $this->proxy->call('Unary', ResidentProxy::UNARY, Call::message('about'), true, $more);
        $text = self::text($this->proxy->answer($call)[1]);
        self::assertSame('[2001:db8::1]:1234|test|deadline|{"a":["1","2"]}', $text);
    }

    public function test_a_service_sees_the_clients_tls(): void
    {
        $cases = [
            '[2001:db8::1]:1234' => '["[2001:db8::1]:1234",[]]',
            "[2001:db8::1]:1234\nHTTPS=on\nSSL_CLIENT_S_DN=CN=ä,O=b"
                => '["[2001:db8::1]:1234",{"HTTPS":"on","SSL_CLIENT_S_DN":"CN=ä,O=b"}]',
        ];
        foreach ($cases as $peer => $expected) {
            $more = ['peer' => $peer, 'metadata' => "a: 1\n"];
            $call = $this->proxy->call('Unary', ResidentProxy::UNARY, Call::message('tls'), true, $more);
            self::assertSame($expected, self::text($this->proxy->answer($call)[1]));
        }
    }

    /** @dataProvider dialects */
    #[DataProvider('dialects')]
    public function test_the_flags_of_a_call_name_its_protocol_and_codec(int $flags, string $dialect): void
    {
        $call = $this->proxy->call('Unary', ResidentProxy::UNARY, Call::message('client'), true, ['flags' => $flags]);
        self::assertSame($dialect, self::text($this->proxy->answer($call)[1]));
    }

    /** @return list<array{int, string}> */
    public static function dialects(): array
    {
        return [
            [0x00, 'grpc proto'], [0x01 | 0x08, 'grpc-web proto'], [0x10 | 0x20, 'connect json'], [0x18, 'rest proto'],
            [0x40, 'grpc other'], [0x60, 'grpc '],
        ];
    }

    public function test_calls_in_one_read_are_answered_in_order(): void
    {
        $frames = '';
        for ($i = 1; $i <= 50; $i++) {
            $frames .= $this->proxy->callFrame('Unary', ResidentProxy::UNARY, Call::message('count'));
        }
        $this->proxy->raw($frames);
        for ($i = 1; $i <= 50; $i++) {
            self::assertSame((string) $i, self::text($this->proxy->answer($i)[1]));
        }
        self::assertSame(range(1, 50), $this->proxy->ended);
    }

    public function test_frames_may_arrive_byte_by_byte(): void
    {
        $frame = $this->proxy->callFrame('Unary', ResidentProxy::UNARY, '', false)
            . ResidentProxy::frame(Frame::DATA, 1, substr(Call::message('anything'), 0, 5))
            . ResidentProxy::frame(Frame::END, 1, substr(Call::message('anything'), 5));
        foreach (str_split($frame) as $byte) {
            $this->proxy->raw($byte);
        }
        self::assertSame('anything', self::text($this->proxy->answer(1)[1]));
    }

    public function test_large_messages_pass_in_pieces(): void
    {
        $text = str_repeat('x', 5 << 20);
        $call = $this->proxy->call('Unary', ResidentProxy::UNARY, '', false);
        foreach (str_split(Call::message($text), Frame::MAX_PAYLOAD) as $piece) {
            $this->proxy->send(Frame::DATA, $call, $piece);
        }
        $this->proxy->send(Frame::END, $call);
        // assertSame() would print them on failure.
        self::assertTrue(Call::message($text) === $this->proxy->answer($call)[1]);
    }

    public function test_a_call_whose_message_is_not_there_holds_up_those_behind_it(): void
    {
        $first = $this->proxy->call('Unary', ResidentProxy::UNARY, '', false);
        $second = $this->proxy->unary('count');
        $stream = $this->proxy->bidi('count');
        self::assertSame([[0, Call::message('1')]], $this->proxy->awaitFrames($stream, 1));
        self::assertSame([], $this->proxy->ended);
        $this->proxy->send(Frame::END, $first, Call::message('count'));
        $this->proxy->answer($second);
        self::assertSame([$first, $second], $this->proxy->ended);
    }

    public function test_a_cancelled_call_that_waits_never_runs(): void
    {
        $first = $this->proxy->call('Unary', ResidentProxy::UNARY, '', false);
        $second = $this->proxy->unary('count');
        $this->proxy->send(Frame::CANCEL, $second);
        self::assertSame([[], ''], $this->proxy->answer($second));
        $this->proxy->send(Frame::END, $first, Call::message('count'));
        self::assertSame('1', self::text($this->proxy->answer($first)[1]));
    }

    public function test_a_handler_that_never_waits_can_ask_whether_it_is_cancelled(): void
    {
        $call = $this->proxy->unary('poll');
        self::awaitNote('polls');
        $this->proxy->send(Frame::CANCEL, $call);
        $this->proxy->answer($call);
        self::assertSame(['polls', 'cancelled'], array_slice(self::notes(), 0, 2));
    }

    public function test_an_exception_fails_its_call_alone(): void
    {
        $call = $this->proxy->unary('throw');
        self::assertSame(['grpc-status: 2', 'grpc-message: uncaught exception'], $this->proxy->answer($call)[0]);
        self::assertSame('1', $this->execute('count'));
        [[$number, $level, $text]] = $this->proxy->logs;
        self::assertSame([$call, 3], [$number, $level]);
        self::assertStringContainsString('LogicException: secret', $text);
    }

    public function test_only_protobuf_is_served(): void
    {
        $call = $this->proxy->call('Unary', ResidentProxy::UNARY, Call::message('a'), true, ['flags' => 4]);
        self::assertContains('grpc-status: 12', $this->proxy->answer($call)[0]);
    }

    public function test_unknown_methods_are_unimplemented(): void
    {
        $call = $this->proxy->call('Nothing', ResidentProxy::UNARY);
        self::assertContains('grpc-status: 12', $this->proxy->answer($call)[0]);
    }

    /** @dataProvider strayOutput */
    #[DataProvider('strayOutput')]
    public function test_output_goes_to_the_log_of_its_call(string $command, string $logged): void
    {
        $call = $this->proxy->unary($command);
        self::assertContains('grpc-status: 0', $this->proxy->answer($call)[0]);
        $stream = $this->proxy->bidi($command);
        $this->proxy->awaitFrames($stream, 1);
        self::assertSame('next', $this->execute('next'));
        self::assertSame([[$call, 4, $logged], [$stream, 4, $logged]], $this->proxy->logs);
    }

    /** @return list<array{string, string}> */
    public static function strayOutput(): array
    {
        return [['print', 'discarded output: printed'], ['buffer', 'discarded output: buffered']];
    }

    public function test_a_service_may_remove_the_output_buffer(): void
    {
        self::assertSame('1', $this->execute('unbuffer'));
        self::assertSame('1', $this->execute('print'));
        $this->execute('');
        self::assertSame('discarded output: printed', $this->proxy->logs[0][2]);
    }

    public function test_a_worker_with_a_buffer_that_cannot_be_removed_retires(): void
    {
        self::assertSame('1', $this->execute('lock'));
        $this->proxy->until(fn (): bool => $this->proxy->wantsToRetire);
        self::assertStringContainsString('an output buffer cannot be removed', $this->proxy->logs[0][2]);
    }

    public function test_what_a_service_logs_goes_to_the_workers_log_at_once(): void
    {
        $this->execute('log');
        $this->proxy->request->awaitLog('logged by the service');
        $this->execute('warn');
        $this->proxy->request->awaitLog('Undefined variable $undefined');
        self::assertSame('next', $this->execute('next'));
    }

    public function test_settings_that_a_call_changes_are_reset(): void
    {
        $state = $this->execute('state');
        self::assertSame('changed', $this->execute('change'));
        self::assertSame($state, $this->execute('state'));
    }

    public function test_a_call_leaves_no_garbage(): void
    {
        $this->execute('collect');
        for ($i = 0; $i < 10; $i++) {
            $this->execute('');
        }
        self::assertSame('0', $this->execute('collect'));
    }

    public function test_hooks_run_after_each_call_and_at_the_end(): void
    {
        $this->execute('');
        $this->proxy->answer($this->proxy->unary('throw'));
        $this->proxy->retire();
        self::assertSame(
            ['after /test.Scripted/Unary 0', 'after /test.Scripted/Unary 2', 'end', 'status 0'],
            self::notes(),
        );
    }

    public function test_an_exception_of_a_hook_is_logged(): void
    {
        $this->proxy->retire();
        $this->launch(['HOOK_FAILS' => '1']);
        $call = $this->proxy->unary('');
        self::assertContains('grpc-status: 0', $this->proxy->answer($call)[0]);
        self::assertSame('other', $this->execute('other'));
        self::assertSame([$call, 3], array_slice($this->proxy->logs[0], 0, 2));
        self::assertStringContainsString('LogicException: of the hook', $this->proxy->logs[0][2]);
    }

    public function test_reports_time_and_memory_and_who_holds_it(): void
    {
        $call = $this->proxy->unary('hold 1.1');
        $this->proxy->until(fn (): bool => $this->proxy->statuses !== []);
        [$busy, $memory] = $this->proxy->statuses[0];
        self::assertGreaterThan(1_000_000, $busy);
        self::assertGreaterThan(100_000, $memory);
        self::assertSame([$call, 4], array_slice($this->proxy->logs[0], 0, 2));
        self::assertMatchesRegularExpression('~^/test.Scripted/Unary has held its worker for [1-9]\d*\.\d s$~', $this->proxy->logs[0][2]);
        self::assertCount(1, $this->proxy->logs);
    }

    public function test_a_wait_lets_streams_run_but_no_other_unary_call(): void
    {
        [$listener, $address] = self::listener();
        $first = $this->proxy->unary("wait $address");
        $socket = stream_socket_accept($listener);
        $second = $this->proxy->unary('count');
        $stream = $this->proxy->bidi('count');
        self::assertSame([[0, Call::message('1')]], $this->proxy->awaitFrames($stream, 1));
        self::assertSame([], $this->proxy->ended);
        fwrite($socket, 'something');
        fclose($socket);
        self::assertSame('something', self::text($this->proxy->answer($first)[1]));
        self::assertSame('2', self::text($this->proxy->answer($second)[1]));
    }

    public function test_waits_end_with_their_time(): void
    {
        [$listener, $address] = self::listener();
        self::assertSame('nothing', $this->execute("wait $address 0.01"));
        self::assertSame('slept', $this->execute('sleep 0.01'));
        self::assertSame('slept', $this->execute('sleep 0'));
        self::assertIsResource($listener);
    }

    public function test_a_wait_in_a_fiber_of_the_service_holds_the_worker(): void
    {
        [$listener, $address] = self::listener();
        $call = $this->proxy->unary("fiber $address");
        $socket = stream_socket_accept($listener);
        fwrite($socket, "something\n");
        self::assertSame("something\n", self::text($this->proxy->answer($call)[1]));
    }

    public function test_a_wait_in_a_fiber_of_the_service_does_not_end_the_next_wait(): void
    {
        self::assertSame('slept slept', $this->execute('fiber-sleep 0.1'));
    }
}
