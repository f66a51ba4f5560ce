<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Google\Protobuf\Internal\Message;
use Grpc\FrameFlags;
use Grpc\Resident\Frame;
use PHPUnit\Framework\Attributes\DataProvider;
use ReflectionClass;

/** How resident workers end. */
final class ResidentEndTest extends ResidentTestCase
{
    public function test_a_worker_without_a_call_ends_when_the_proxy_wants_no_more(): void
    {
        $this->execute('');
        self::assertSame('', $this->proxy->retire());
        self::assertSame(['after /test.Scripted/Unary 0', 'end', 'status 0'], self::notes());
    }

    public function test_a_worker_finishes_its_calls_before_it_ends(): void
    {
        $stream = $this->proxy->bidi('a');
        $first = $this->proxy->call('Unary', ResidentProxy::UNARY, '', false);
        $second = $this->proxy->unary('second');
        $this->proxy->send(Frame::RETIRE, 0);
        $this->proxy->send(Frame::END, $first, Call::message('first'));
        self::assertSame('second', self::text($this->proxy->answer($second)[1]));
        $this->proxy->send(Frame::END, $stream, Call::messages('b'));
        $this->proxy->answer($stream);
        self::assertCount(3, $this->proxy->frames($stream));
        $this->proxy->awaitEnd();
        self::assertContains('status 0', self::notes());
    }

    public function test_calls_are_cancelled_when_the_connection_ends(): void
    {
        $stream = $this->proxy->bidi('a');
        $this->proxy->awaitFrames($stream, 1);
        $this->proxy->close();
        $this->proxy->request->rest();
        self::assertSame(['finally', 'after /test.Scripted/BidiStream 1', 'end', 'status 0'], self::notes());
    }

    public function test_a_reload_of_php_fpm_retires_a_worker_that_waits(): void
    {
        $stream = $this->proxy->bidi('a');
        $this->proxy->awaitFrames($stream, 1);
        self::$phpFpm->reload();
        $this->proxy->until(fn (): bool => $this->proxy->wantsToRetire);
        // It goes on until the proxy agrees.
        self::assertSame('other', $this->execute('other'));
        $this->proxy->send(Frame::RETIRE, 0);
        $this->proxy->send(Frame::END, $stream, Call::messages('b'));
        $this->proxy->answer($stream);
        $this->proxy->awaitEnd();
    }

    public function test_a_reload_of_php_fpm_retires_a_worker_whose_handler_ran_at_that_moment(): void
    {
        $call = $this->proxy->unary('reloaded');
        self::awaitNote('waits');
        self::$phpFpm->reload();
        self::assertSame('reloaded', self::text($this->proxy->answer($call)[1]));
        $this->proxy->until(fn (): bool => $this->proxy->wantsToRetire);
        $this->proxy->retire();
    }

    public function test_a_reload_of_php_fpm_retires_a_worker_that_booted_at_that_moment(): void
    {
        $this->proxy->retire();
        $this->launch(['QUIT_AT_BOOT' => '1']);
        $this->proxy->until(fn (): bool => $this->proxy->wantsToRetire);
        self::assertSame('', $this->proxy->retire());
    }

    public function test_a_worker_that_cannot_see_its_listening_socket_heeds_the_signal(): void
    {
        $this->proxy->retire();
        $runtime = dirname((string) (new ReflectionClass(Message::class))->getFileName(), 4);
        $folders = [dirname(__DIR__, 2), sys_get_temp_dir(), $runtime];
        $this->launch(['PHP_ADMIN_VALUE' => 'open_basedir=' . implode(':', $folders)]);
        $process = unpack('N', $this->proxy->hello, 65)[1];
        // A signal that comes while a call runs goes unnoticed.
        for ($i = 0; $i < 1000 && !$this->proxy->wantsToRetire; $i++) {
            while (!str_contains((string) file_get_contents("/proc/$process/stat"), ') S '));
            posix_kill($process, SIGQUIT);
            self::assertSame('other', $this->execute('other'));
        }
        self::assertTrue($this->proxy->wantsToRetire);
        self::assertSame('', $this->proxy->retire());
    }

    public function test_a_worker_with_too_much_memory_retires_after_the_call(): void
    {
        $this->proxy->retire();
        $this->launch(['GRPC_RESIDENT_MAX_MEMORY' => (string) (64 << 20)]);
        $this->execute('keep 1000');
        self::assertFalse($this->proxy->wantsToRetire);
        $this->execute('keep ' . (64 << 20));
        $this->proxy->until(fn (): bool => $this->proxy->wantsToRetire);
        self::assertSame('other', $this->execute('other'));
        $this->proxy->retire();
        self::assertStringContainsString('is over the limit', $this->proxy->logs[0][2]);
    }

    public function test_memory_does_not_grow_with_the_number_of_calls(): void
    {
        $this->proxy->retire();
        $this->launch(['GRPC_RESIDENT_MAX_MEMORY' => (string) (16 << 20)]);
        for ($i = 0; $i < 100; $i++) {
            $this->execute(str_repeat('x', 1_000_000));
        }
        self::assertFalse($this->proxy->wantsToRetire);
    }

    /** @dataProvider waysToDie */
    #[DataProvider('waysToDie')]
    public function test_a_call_that_ends_the_script_fails(string $command): void
    {
        $waiting = $this->proxy->bidi('a');
        $this->proxy->awaitFrames($waiting, 1);
        $call = $this->proxy->unary($command);
        $behind = $this->proxy->unary('behind');
        $this->proxy->awaitEnd();
        self::assertSame(
            ['grpc-status: 2', 'grpc-message: the script ended early'],
            $this->proxy->answer($call)[0],
        );
        $trailers = "grpc-status: 14\r\ngrpc-message: another call has ended the worker\r\n";
        self::assertSame([FrameFlags::TRAILERS, $trailers], $this->proxy->frames($waiting)[1]);
        // The proxy may give it to another worker.
        self::assertSame($call, $this->proxy->exit);
        self::assertNotContains($behind, $this->proxy->ended);
    }

    /** @dataProvider waysToDie */
    #[DataProvider('waysToDie')]
    public function test_a_stream_that_ends_the_script_fails(string $command): void
    {
        $call = $this->proxy->bidi('a', $command);
        $this->proxy->awaitEnd();
        $trailers = "grpc-status: 2\r\ngrpc-message: the script ended early\r\n";
        self::assertSame([[0, Call::message('a')], [FrameFlags::TRAILERS, $trailers]], $this->proxy->frames($call));
    }

    public function test_a_message_too_large_for_the_memory_fails_its_call(): void
    {
        $this->proxy->retire();
        $this->launch(['MEMORY_LIMIT' => '16M']);
        $first = $this->proxy->call('Unary', ResidentProxy::UNARY, '', false);
        $call = $this->proxy->call('Unary', ResidentProxy::UNARY, '', false);
        for ($i = 0; $i < 16; $i++) {
            $this->proxy->send(Frame::DATA, $call, str_repeat('x', Frame::MAX_PAYLOAD));
        }
        $this->proxy->awaitEnd();
        self::assertContains('grpc-status: 2', $this->proxy->answer($call)[0]);
        self::assertSame(0, $this->proxy->exit);
        self::assertNotContains($first, $this->proxy->ended);
    }

    /** @return array<string, array{string}> */
    public static function waysToDie(): array
    {
        return ['exit' => ['exit'], 'memory' => ['exhaust'], 'time' => ['spin']];
    }

    public function test_only_exit_is_logged_because_php_logs_errors_itself(): void
    {
        $call = $this->proxy->unary('exit');
        self::assertStringNotContainsString('exit', $this->proxy->awaitEnd());
        $text = '/test.Scripted/Unary called exit, so the call fails: return, or throw a StatusException';
        self::assertSame([[$call, 3, $text]], $this->proxy->logs);
        $this->launch();
        $this->proxy->unary('exhaust');
        self::assertStringContainsString('Allowed memory size', $this->proxy->awaitEnd());
        self::assertSame([], $this->proxy->logs);
    }

    /** @dataProvider invalidFrames */
    #[DataProvider('invalidFrames')]
    public function test_an_invalid_frame_ends_the_worker(string $frame, string $reason): void
    {
        $stream = $this->proxy->bidi('a');
        $this->proxy->awaitFrames($stream, 1);
        $this->proxy->raw($frame);
        $this->proxy->awaitEnd();
        self::assertStringContainsString($reason, $this->proxy->logs[0][2]);
        self::assertSame(['finally', 'after /test.Scripted/BidiStream 1', 'end', 'status 0'], self::notes());
    }

    /** @return array<string, array{string, string}> */
    public static function invalidFrames(): array
    {
        $frame = ResidentProxy::frame(...);
        $input = pack('CCnnnNJ', 3, 0, 0, 0, 0, 0, 0);
        return [
            'too long' => ["\x10\x00\x01\x03\x00\x00\x00\x01", 'a frame of 1048577 bytes'],
            'unknown type' => [$frame(0x7f, 1, ''), 'a frame of type 127'],
            'type of the other direction' => [$frame(Frame::STATUS, 0, ''), 'a frame of type 9'],
            'number of no call' => [$frame(Frame::DATA, 2, 'x'), 'for call 2'],
            'number used twice' => [$frame(Frame::CALL, 1, $input), 'CALL 1 after 1'],
            'a CALL without its header' => [$frame(Frame::CALL, 2, 'x'), 'shorter than its header'],
            'a CALL with wrong lengths' => [$frame(Frame::CALL, 2, pack('CCnnnNJ', 3, 0, 0, 0, 0, 1, 0)), 'than its lengths say'],
            'unknown kind' => [$frame(Frame::CALL, 2, pack('CCnnnNJ', 4, 0, 0, 0, 0, 0, 0)), 'unknown kind of call 4'],
            'a CALL after RETIRE' => [$frame(Frame::RETIRE, 0, '') . $frame(Frame::CALL, 2, $input), 'a CALL after RETIRE'],
            'a CREDIT of 3 bytes' => [$frame(Frame::CREDIT, 1, 'xxx'), 'CREDIT'],
            'input after its end' => [
                $frame(Frame::CALL, 2, pack('CCnnnNJ', 0, 0, 0, 0, 0, 0, 0)) . $frame(Frame::CALL, 3, pack('CCnnnNJ', 0, 2, 0, 0, 0, 0, 0))
                    . $frame(Frame::DATA, 3, 'x'),
                'input after its end',
            ],
        ];
    }

    public function test_input_without_credit_ends_the_worker(): void
    {
        [$listener, $address] = self::listener();
        $call = $this->proxy->bidi("wait $address");
        $socket = stream_socket_accept($listener);
        $this->proxy->send(Frame::DATA, $call, str_repeat('x', Frame::FIRST_CREDIT));
        $this->proxy->awaitEnd();
        self::assertStringContainsString('more input than the credit', $this->proxy->logs[0][2]);
        self::assertContains('finally', self::notes());
        self::assertIsResource($socket);
    }

    public function test_more_streams_than_were_announced_end_the_worker(): void
    {
        $this->proxy->retire();
        $this->launch(['GRPC_RESIDENT_STREAMS' => '2']);
        // A unary call does not count, nor one that is over.
        $this->proxy->answer($this->proxy->bidi('throw'));
        [$listener, $address] = self::listener();
        $this->proxy->unary("wait $address");
        self::assertIsResource(stream_socket_accept($listener));
        $streams = [$this->proxy->bidi('a'), $this->proxy->bidi('a')];
        array_walk($streams, fn (int $call) => $this->proxy->awaitFrames($call, 1));
        self::assertStringNotContainsString('more than 2 streaming calls', implode(array_column($this->proxy->logs, 2)));
        $this->proxy->bidi('a');
        $this->proxy->awaitEnd();
        self::assertStringContainsString('more than 2 streaming calls', end($this->proxy->logs)[2]);
    }

    public function test_a_worker_that_cannot_connect_says_why(): void
    {
        $variables = ['GRPC_RESIDENT_ADDRESS' => 'unix:///nowhere', 'GRPC_RESIDENT_SECRET' => '', 'CONTENT_LENGTH' => '0'];
        $request = self::$phpFpm->call(__DIR__ . '/resident.php', '/test.Resident/Launch', 'unary', $variables);
        $request->endInput();
        $request->rest();
        self::assertStringContainsString('cannot connect to the proxy at unix:///nowhere: No such file', $request->log);
        self::assertContains('status 14', self::notes());
    }
}
