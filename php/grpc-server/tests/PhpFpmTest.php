<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\FrameFlags;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

/** Behaviour that depends on php-fpm. */
final class PhpFpmTest extends TestCase
{
    private const SCRIPT = __DIR__ . '/application.php';

    private static PhpFpm $phpFpm;
    private static string $notes;

    public static function setUpBeforeClass(): void
    {
        self::$notes = sys_get_temp_dir() . '/notes-' . bin2hex(random_bytes(8));
        self::$phpFpm = new PhpFpm(['NOTES' => self::$notes]);
    }

    public static function tearDownAfterClass(): void
    {
        self::$phpFpm->stop();
        unlink(self::$notes);
    }

    protected function setUp(): void
    {
        file_put_contents(self::$notes, '');
    }

    public function test_answers_a_unary_call(): void
    {
        [$fields, $body] = self::unary('anything');
        self::assertSame(['content-type: application/grpc', 'www-authenticate: basic', 'grpc-status: 0'], $fields);
        self::assertSame(Call::message('anything'), $body);
    }

    public function test_answers_a_bidi_stream_while_the_client_is_still_sending(): void
    {
        $call = self::bidi();
        $call->send(Call::messages('a'));
        self::assertSame(['content-type: application/grpc'], $call->fields());
        self::assertSame([0, Call::message('a')], $call->frame());
        $call->send(Call::messages('b'));
        self::assertSame([0, Call::message('b')], $call->frame());
        $call->endInput();
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], $call->frame());
        self::assertNull($call->frame());
    }

    public function test_reads_a_client_stream_whose_frames_arrive_in_pieces(): void
    {
        $call = self::call('ClientStream', 'client_stream');
        foreach (str_split(Call::messages('a', str_repeat('b', 100), 'c'), 7) as $piece) {
            $call->send($piece);
        }
        $call->endInput();
        $call->fields();
        self::assertSame([0, Call::message('102')], $call->frame());
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], $call->frame());
    }

    public function test_echoes_a_message_of_64_mib(): void
    {
        $message = Call::message(str_repeat('x', 64 << 20));
        $call = self::bidi();
        $call->send(Frames::encode($message));
        $call->endInput();
        $call->fields();
        // assertSame() would print 64 MiB on failure.
        self::assertTrue([0, $message] === $call->frame());
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], $call->frame());
    }

    /** @dataProvider strayOutput */
    #[DataProvider('strayOutput')]
    public function test_logs_the_output_of_a_service(string $command, string $logged): void
    {
        [$fields, $body, $log] = self::unary($command);
        self::assertSame(Call::message($command), $body);
        self::assertContains('grpc-status: 0', $fields);
        self::assertStringContainsString($logged, $log);

        $call = self::bidi();
        $call->send(Call::messages($command, $command));
        $call->endInput();
        $call->fields();
        self::assertSame([0, Call::message($command)], $call->frame());
        self::assertSame([0, Call::message($command)], $call->frame());
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], $call->frame());
        self::assertSame('', $call->rest());
        self::assertStringContainsString($logged, $call->log);
    }

    /** @return list<array{string, string}> */
    public static function strayOutput(): array
    {
        return [
            ['print', 'discarded output: printed'],
            ['warn', 'Undefined variable $undefined'],
            ['buffer', 'discarded output: buffered'],
            ['end', 'discarded output: unguarded'],
            ['unbuffer', 'printed after the answer'],
            ['nothing', 'printed after the answer'],
        ];
    }

    public function test_logs_output_from_before_the_call(): void
    {
        [$fields, $body, $log] = self::unary('a', ['PRINT_BEFORE' => 'early']);
        self::assertContains('grpc-status: 0', $fields);
        self::assertSame(Call::message('a'), $body);
        self::assertStringContainsString('early', $log);
    }

    public function test_output_sent_before_the_call_is_not_a_valid_message(): void
    {
        [, $body, $log] = self::unary('a', ['PRINT_BEFORE' => "\n", 'FLUSH_BEFORE' => '1']);
        self::assertSame("\n\xff", $body);
        // The proxy fails the call because of this line.
        self::assertStringContainsString('PHP message: PHP Fatal error:  no answer is possible: output began at', $log);
    }

    /** Removing such a buffer again and again kept the worker busy for ever. */
    public function test_an_output_buffer_that_cannot_be_removed_fails_the_call(): void
    {
        [$fields, , $log] = self::unary('lock');
        self::assertContains('grpc-status: 13', $fields);
        self::assertStringContainsString('an output buffer cannot be removed', $log);

        $call = self::bidi();
        $call->send(Call::messages('lock'));
        $call->endInput();
        self::assertContains('grpc-status: 13', $call->fields());
    }

    public function test_output_after_the_service_has_removed_all_buffers_fails_the_call(): void
    {
        [$fields, , $log] = self::unary('end all');
        self::assertContains('grpc-status: 2', $fields);
        self::assertMatchesRegularExpression('/no answer is possible: .* printed at .*application.php:\d+/', $log);

        $call = self::bidi();
        $call->send(Call::messages('end all'));
        $call->endInput();
        self::assertContains('grpc-status: 2', $call->fields());
    }

    public function test_a_shutdown_function_does_not_change_the_status_of_an_empty_answer(): void
    {
        [$fields, $body] = self::unary('override');
        self::assertContains('grpc-status: 0', $fields);
        self::assertNotContains('grpc-status: 3', $fields);
        self::assertSame('', $body);
    }

    public function test_header_fields_set_by_the_script_are_dropped(): void
    {
        $fields = self::unary('headers')[0];
        self::assertSame(['content-type: application/grpc', 'www-authenticate: basic', 'grpc-status: 0'], $fields);
    }

    /** @dataProvider waysToDie */
    #[DataProvider('waysToDie')]
    public function test_exit_or_a_fatal_error_is_unknown(string $command): void
    {
        [$fields, $body] = self::unary($command);
        self::assertContains('grpc-status: 2', $fields);
        self::assertSame('', $body);

        foreach ([[], ['a']] as $before) {
            $call = self::bidi();
            $call->send(Call::messages(...[...$before, $command]));
            $call->fields();
            foreach ($before as $text) {
                self::assertSame([0, Call::message($text)], $call->frame());
            }
            // Although the client has not half-closed.
            self::assertSame([FrameFlags::TRAILERS, "grpc-status: 2\r\ngrpc-message: the script ended early\r\n"], $call->frame());
        }
    }

    public function test_exit_is_logged_but_no_other_end(): void
    {
        $logged = ' called exit, so the call fails';
        self::assertStringContainsString("/test.Scripted/Unary$logged", self::unary('exit')[2]);
        $call = self::bidi();
        $call->send(Call::messages('exit'));
        $call->endInput();
        $call->fields();
        $call->rest();
        self::assertStringContainsString("/test.Scripted/BidiStream$logged", $call->log);
        foreach (['exhaust', 'throw', 'nothing'] as $command) {
            self::assertStringNotContainsString($logged, self::unary($command)[2]);
        }
    }

    /** @return array<string, array{string}> */
    public static function waysToDie(): array
    {
        return ['exit' => ['exit'], 'memory' => ['exhaust']];
    }

    public function test_an_exception_ends_a_stream_with_trailers(): void
    {
        $call = self::bidi();
        $call->send(Call::messages('throw'));
        $call->fields();
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 2\r\ngrpc-message: uncaught exception\r\n"], $call->frame());
        $call->endInput();
        self::assertSame('', $call->rest());
        self::assertStringContainsString('LogicException: secret', $call->log);
    }

    public function test_a_writer_runs_its_cleanup_when_the_client_disconnects(): void
    {
        $call = self::call('ServerStream', 'server_stream');
        $call->send(Call::messages(''));
        $call->endInput();
        $call->fields();
        $call->frame();
        $call->close();
        self::assertNotes(['finally', 'status 1', 'destructor']);
    }

    public function test_a_reader_that_has_answered_runs_its_cleanup_when_the_client_cancels(): void
    {
        $call = self::bidi();
        $call->send(Call::messages('a') . Frames::encode('', FrameFlags::CANCELLED));
        $call->fields();
        $call->frame();
        $call->close();
        self::assertNotes(['finally', 'status 1', 'destructor']);
    }

    public function test_a_cancelled_client_stream_is_not_mistaken_for_a_complete_one(): void
    {
        $call = self::call('ClientStream', 'client_stream');
        $call->send(Call::messages('a') . Frames::encode('', FrameFlags::CANCELLED));
        $call->close();
        self::assertNotes(['finally', 'status 1', 'destructor']);
    }

    /** @param list<string> $expected */
    private static function assertNotes(array $expected): void
    {
        // Without a connection, only the notes show that the script has ended.
        for ($i = 0; $i < 500 && !str_contains((string) file_get_contents(self::$notes), end($expected)); $i++) {
            usleep(10_000);
        }
        self::assertSame($expected, file(self::$notes, FILE_IGNORE_NEW_LINES));
    }

    /**
     * @param array<string, string> $variables
     * @return array{list<string>, string, string} header fields, body and log
     */
    private static function unary(string $command, array $variables = []): array
    {
        $message = Call::message($command);
        $call = self::call('Unary', 'unary', $variables + ['CONTENT_LENGTH' => (string) strlen($message)]);
        $call->send($message);
        $call->endInput();
        return [$call->fields(), $call->rest(), $call->log];
    }

    private static function bidi(): FastCgiCall
    {
        return self::call('BidiStream', 'bidi_stream');
    }

    /** @param array<string, string> $variables */
    private static function call(string $method, string $kind, array $variables = []): FastCgiCall
    {
        return self::$phpFpm->call(self::SCRIPT, "/test.Scripted/$method", $kind, $variables);
    }
}
