<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Google\Protobuf\StringValue;
use Grpc\CallCancelled;
use Grpc\FrameFlags;
use Grpc\ServerCallReader;
use Grpc\ServerCallWriter;
use Grpc\ServerContext;
use Grpc\Status;
use LogicException;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Throwable;

use const Grpc\STATUS_ABORTED;
use const Grpc\STATUS_CANCELLED;
use const Grpc\STATUS_FAILED_PRECONDITION;
use const Grpc\STATUS_OK;
use const Grpc\STATUS_UNIMPLEMENTED;
use const Grpc\STATUS_UNKNOWN;
use const Grpc\WRITE_BUFFER_HINT;
use const Grpc\WRITE_NO_COMPRESS;

final class StreamTest extends TestCase
{
    use CapturedLog;

    public function test_frame_flags_have_the_values_of_the_binding(): void
    {
        $flags = [FrameFlags::COMPRESSED, FrameFlags::NOOP, FrameFlags::CANCELLED, FrameFlags::TRAILERS];
        self::assertSame([0x01, 0x40, 0x80, 0x80], $flags);
    }

    public function test_a_server_stream_is_answered_with_frames_and_trailers(): void
    {
        $call = new Call('ServerStream', Call::messages('ab'), static function ($request, $writer): void {
            foreach (str_split($request->getValue()) as $letter) {
                $writer->write(new StringValue(['value' => $letter]));
            }
            $writer->finish();
        });
        self::assertSame([], $call->output->fields);
        self::assertSame(
            [[0, Call::message('a')], [0, Call::message('b')], [FrameFlags::TRAILERS, "grpc-status: 0\r\n"]],
            $call->output->frames(),
        );
        self::assertSame(3, $call->output->flushes);
        self::assertSame(STATUS_OK, $call->status);
    }

    public function test_a_client_stream_is_answered_with_one_message(): void
    {
        $call = new Call('ClientStream', Call::messages('a', '', 'c'), static function (ServerCallReader $reader): StringValue {
            $texts = [];
            while ($request = $reader->read()) {
                $texts[] = $request->getValue();
            }
            return new StringValue(['value' => implode('|', $texts)]);
        });
        self::assertSame(['a||c'], $call->texts());
        self::assertSame(['grpc-status: 0'], $call->output->trailerLines());
    }

    public function test_a_client_stream_with_an_error_is_answered_without_a_message(): void
    {
        $call = new Call('ClientStream', '', static function (ServerCallReader $reader, ServerContext $context): StringValue {
            $context->setStatus(Status::status(STATUS_FAILED_PRECONDITION, 'not now'));
            return new StringValue();
        });
        self::assertSame([[FrameFlags::TRAILERS, "grpc-status: 9\r\ngrpc-message: not now\r\n"]], $call->output->frames());
    }

    public function test_a_client_stream_without_a_response_is_unimplemented(): void
    {
        $call = new Call('ClientStream', '', static fn () => null);
        self::assertSame(['grpc-status: 12', 'grpc-message: no response'], $call->output->trailerLines());
    }

    public function test_a_server_stream_without_a_request_is_unimplemented(): void
    {
        $call = new Call('ServerStream', '', static fn () => self::fail('the method was called'));
        self::assertSame(STATUS_UNIMPLEMENTED, $call->status);
    }

    public function test_each_request_of_a_bidi_stream_is_answered_before_the_next_is_read(): void
    {
        $output = new RecordedOutput();
        $seen = [];
        new Call('BidiStream', Call::messages('a', 'b'), static function ($reader, $writer) use ($output, &$seen): void {
            while ($request = $reader->read()) {
                $writer->write($request);
                $seen[] = count($output->frames());
            }
        }, [], $output);
        self::assertSame([1, 2], $seen);
        self::assertSame(['grpc-status: 0'], $output->trailerLines());
    }

    public function test_an_empty_stream_is_ok(): void
    {
        $call = new Call('BidiStream', '', static fn (ServerCallReader $reader) => self::assertNull($reader->read()));
        self::assertSame([[FrameFlags::TRAILERS, "grpc-status: 0\r\n"]], $call->output->frames());
    }

    public function test_start_sends_initial_metadata_at_once(): void
    {
        $output = new RecordedOutput();
        new Call('BidiStream', '', static function ($reader, ServerCallWriter $writer, ServerContext $context) use ($output): void {
            $context->setInitialMetadata(['x-a-bin' => ["\xab\xab"], 'x-b' => ['1', '2']]);
            $writer->start();
            self::assertSame(['x-a-bin: q6s=', 'x-b: 1', 'x-b: 2'], $output->fields);
            self::assertSame([[FrameFlags::NOOP, '']], $output->frames());
            self::assertSame(1, $output->flushes);
        }, [], $output);
    }

    public function test_trailing_metadata_is_in_the_trailers(): void
    {
        $call = new Call('BidiStream', '', static function ($reader, ServerCallWriter $writer, ServerContext $context): void {
            $context->setTrailingMetadata(['x-set' => ['1']]);
            $writer->write(new StringValue());
            $context->setStatus(Status::status(STATUS_ABORTED, "a\nb", ['x-some-bin' => ["\xab\xab\xab"]]));
        });
        self::assertSame(
            ['grpc-status: 10', 'grpc-message: a%0Ab', 'x-set: 1', 'x-some-bin: q6ur'],
            $call->output->trailerLines(),
        );
    }

    public function test_a_service_chooses_compression_for_each_message(): void
    {
        $call = new Call('ServerStream', Call::messages(''), static function ($request, $writer, ServerContext $context): void {
            $context->setInitialMetadata(['grpc-internal-encoding-request' => ['gzip']]);
            $writer->write(new StringValue());
            $writer->write(new StringValue(), ['flags' => WRITE_NO_COMPRESS]);
            $writer->finish(new StringValue());
        });
        self::assertSame(['grpc-encoding: gzip'], $call->output->fields);
        self::assertSame(
            [FrameFlags::COMPRESSED, 0, FrameFlags::COMPRESSED, FrameFlags::TRAILERS],
            array_column($call->output->frames(), 0),
        );
    }

    public function test_a_service_sees_which_messages_were_compressed(): void
    {
        $seen = [];
        $input = Frames::encode('', FrameFlags::COMPRESSED) . Frames::encode('');
        new Call('BidiStream', $input, static function ($reader, $writer, ServerContext $context) use (&$seen): void {
            while ($reader->read()) {
                $seen[] = $context->messageCompressed();
            }
        });
        self::assertSame([true, false], $seen);
    }

    public function test_a_write_with_the_buffer_hint_is_not_flushed(): void
    {
        $call = new Call('ServerStream', Call::messages(''), static function ($request, $writer): void {
            $writer->write(new StringValue(), ['flags' => WRITE_BUFFER_HINT]);
            $writer->write(new StringValue(), ['flags' => WRITE_BUFFER_HINT]);
        });
        self::assertSame(1, $call->output->flushes);
    }

    public function test_an_exception_ends_the_stream_with_unknown(): void
    {
        $call = new Call('BidiStream', '', static function ($reader, $writer): never {
            $writer->write(new StringValue(['value' => 'before']));
            throw new LogicException('secret');
        });
        self::assertSame(['before'], $call->texts());
        self::assertSame(['grpc-status: 2', 'grpc-message: uncaught exception'], $call->output->trailerLines());
        self::assertStringContainsString('secret', $this->log());
    }

    public function test_an_exception_after_finish_is_only_logged(): void
    {
        $call = new Call('BidiStream', '', static function ($reader, $writer): never {
            $writer->finish();
            throw new LogicException('too late');
        });
        self::assertSame([[FrameFlags::TRAILERS, "grpc-status: 0\r\n"]], $call->output->frames());
        self::assertStringContainsString('too late', $this->log());
    }

    public function test_a_script_that_ends_early_ends_the_stream_with_unknown(): void
    {
        $output = new RecordedOutput();
        new Call('BidiStream', '', static function ($reader, $writer) use ($output): void {
            $writer->write(new StringValue());
            ($output->end)();
            self::assertSame(['grpc-status: 2', 'grpc-message: the script ended early'], $output->trailerLines());
        }, [], $output);
    }

    public function test_the_end_of_the_script_adds_nothing_to_a_finished_stream(): void
    {
        $call = new Call('BidiStream', '', static fn () => null);
        ($call->output->end)();
        self::assertSame([[FrameFlags::TRAILERS, "grpc-status: 0\r\n"]], $call->output->frames());
    }

    public function test_a_write_after_finish_is_refused(): void
    {
        $this->expectException(LogicException::class);
        new Call('BidiStream', '', static function ($reader, $writer) use (&$error): void {
            $writer->finish();
            try {
                $writer->write(new StringValue());
            } catch (LogicException $error) {
            }
        });
        throw $error;
    }

    public function test_an_invalid_request_is_internal(): void
    {
        $call = new Call('BidiStream', Frames::encode("\x0a\x7f"), static fn ($reader) => $reader->read());
        self::assertSame(['grpc-status: 13', 'grpc-message: cannot parse the request'], $call->output->trailerLines());
    }

    /** @dataProvider truncatedInputs */
    #[DataProvider('truncatedInputs')]
    public function test_truncated_input_is_a_cancelled_call(string $input): void
    {
        $seen = null;
        $call = new Call('ClientStream', Call::messages('whole') . $input, static function ($reader) use (&$seen): StringValue {
            try {
                while ($reader->read());
                self::fail('the reader took it for the end of the stream');
            } catch (Throwable $seen) {
                throw $seen;
            }
        });
        self::assertInstanceOf(CallCancelled::class, $seen);
        self::assertSame(STATUS_CANCELLED, $call->status);
        self::assertSame('', $call->output->bytes);
        self::assertSame('', $this->log());
    }

    /** @return array<string, array{string}> */
    public static function truncatedInputs(): array
    {
        return [
            'in the length' => ["\0\0\0"],
            'before the content' => ["\0\0\0\0\x02"],
            'in the content' => ["\0\0\0\0\x02a"],
            'cancelled' => [Frames::encode('', FrameFlags::CANCELLED)],
        ];
    }

    public function test_unknown_frame_flags_are_an_error(): void
    {
        $call = new Call('ClientStream', Frames::encode('', 0x02), static fn ($reader) => $reader->read());
        self::assertSame(STATUS_UNKNOWN, $call->status);
    }

    public function test_a_writing_service_runs_its_finally_blocks_when_the_client_is_gone(): void
    {
        $output = new RecordedOutput();
        $output->flushesUntilGone = 2;
        $ended = false;
        $call = new Call('ServerStream', Call::messages(''), static function ($request, $writer) use (&$ended): void {
            try {
                for ($i = 0; $i < 100; $i++) {
                    $writer->write(new StringValue());
                }
            } finally {
                $ended = true;
            }
        }, [], $output);
        self::assertTrue($ended);
        self::assertSame(STATUS_CANCELLED, $call->status);
        self::assertCount(2, $output->frames());
    }

    public function test_every_write_throws_once_the_client_is_gone(): void
    {
        $output = new RecordedOutput();
        $output->flushesUntilGone = 1;
        $call = new Call('ServerStream', Call::messages(''), static function ($request, $writer): void {
            for ($i = 0; $i < 3; $i++) {
                try {
                    $writer->write(new StringValue());
                    self::fail('the write did not throw');
                } catch (CallCancelled) {
                }
            }
        }, [], $output);
        self::assertSame(STATUS_CANCELLED, $call->status);
    }

    public function test_cancelled_probes_with_noop_frames_at_intervals(): void
    {
        $output = new RecordedOutput();
        $output->flushesUntilGone = 2;
        new Call('BidiStream', '', static function ($reader, $writer, ServerContext $context) use ($output): void {
            self::assertFalse($context->cancelled());
            self::assertSame([], $output->frames());
            $writer->start();
            self::assertTrue($context->cancelled());
            self::assertTrue($context->cancelled());
            self::assertSame([[FrameFlags::NOOP, ''], [FrameFlags::NOOP, '']], $output->frames());
        }, [], $output);
        $output = new RecordedOutput();
        new Call('BidiStream', '', static function ($reader, $writer, ServerContext $context) use ($output): void {
            $writer->start();
            for ($i = 0; $i < 100; $i++) {
                self::assertFalse($context->cancelled());
            }
            self::assertLessThan(5, count($output->frames()));
        }, [], $output);
    }
}
