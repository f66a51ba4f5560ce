<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Closure;
use Google\Protobuf\Internal\Message;
use Google\Protobuf\StringValue;
use Grpc\ForwardingReader;
use Grpc\ForwardingWriter;
use Grpc\InterceptedCall;
use Grpc\ServerCallReader;
use Grpc\ServerCallWriter;
use Grpc\ServerContext;
use Grpc\Status;
use Grpc\StatusException;
use LogicException;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

use const Grpc\STATUS_NOT_FOUND;
use const Grpc\STATUS_PERMISSION_DENIED;
use const Grpc\STATUS_UNIMPLEMENTED;
use const Grpc\STATUS_UNKNOWN;

final class InterceptorTest extends TestCase
{
    use CapturedLog;

    /** @return array<string, array{string, string}> the name of a method, and its input */
    public static function kinds(): array
    {
        return [
            'unary' => ['Unary', Call::message('a')],
            'server stream' => ['ServerStream', Call::messages('a')],
            'client stream' => ['ClientStream', Call::messages('a', 'b')],
            'bidi stream' => ['BidiStream', Call::messages('a', 'b')],
        ];
    }

    /** @dataProvider kinds */
    #[DataProvider('kinds')]
    public function test_interceptors_run_around_the_method_in_order(string $name, string $input): void
    {
        $steps = [];
        $around = static function (string $step) use (&$steps): Closure {
            return static function (InterceptedCall $call, Closure $next) use ($step, &$steps): ?Message {
                $steps[] = "$step before {$call->context->method()}";
                $response = $next($call);
                $steps[] = "$step after";
                return $response;
            };
        };
        $method = static function (object $first, object $second, ?object $third = null) use (&$steps): ?StringValue {
            $steps[] = 'method';
            return $third === null ? new StringValue() : null;
        };
        $call = new Call($name, $input, $method, [], null, [$around('outer'), $around('inner')]);
        self::assertSame(0, $call->status);
        $path = "/test.Scripted/$name";
        self::assertSame(["outer before $path", "inner before $path", 'method', 'inner after', 'outer after'], $steps);
    }

    /** @dataProvider kinds */
    #[DataProvider('kinds')]
    public function test_an_interceptor_ends_a_call_by_an_exception_before_its_request_is_parsed(string $name, string $input): void
    {
        $call = $this->refused($name, "\x0a\x7f" . $input, static fn () => throw new StatusException(STATUS_PERMISSION_DENIED, 'no'));
        self::assertSame(STATUS_PERMISSION_DENIED, $call->status);
        self::assertSame(['grpc-status: 7', 'grpc-message: no'], self::trailers($call));
    }

    /** @dataProvider kinds */
    #[DataProvider('kinds')]
    public function test_an_interceptor_ends_a_call_by_a_status(string $name, string $input): void
    {
        $call = $this->refused($name, $input, static function (InterceptedCall $call): ?Message {
            $call->context->setStatus(Status::status(STATUS_PERMISSION_DENIED, 'no'));
            return null;
        });
        self::assertSame(['grpc-status: 7', 'grpc-message: no'], self::trailers($call));
        self::assertSame([], $name === 'Unary' ? [] : $call->texts());
    }

    public function test_an_exception_of_an_interceptor_is_unknown(): void
    {
        $call = $this->refused('Unary', '', static fn () => throw new LogicException('secret'));
        self::assertSame(['grpc-status: 2', 'grpc-message: uncaught exception'], $call->output->fields);
        self::assertStringContainsString('LogicException: secret', $this->log());
        self::assertSame(STATUS_UNKNOWN, $this->refused('Unary', '', static fn () => 'no message')->status);
    }

    public function test_an_interceptor_that_neither_answers_nor_goes_on_is_unimplemented(): void
    {
        self::assertSame(STATUS_UNIMPLEMENTED, $this->refused('Unary', '', static fn () => null)->status);
    }

    public function test_an_interceptor_answers_in_place_of_the_method(): void
    {
        $answer = static fn (): Message => new StringValue(['value' => 'cached']);
        self::assertSame(Call::message('cached'), $this->refused('Unary', '', $answer)->output->bytes);
        self::assertSame(['cached'], $this->refused('ClientStream', '', $answer)->texts());
    }

    public function test_an_interceptor_maps_an_exception_of_the_method(): void
    {
        $call = new Call('Unary', '', static fn () => throw new LogicException('no row'), [], null, [
            static function (InterceptedCall $call, Closure $next): ?Message {
                try {
                    return $next($call);
                } catch (LogicException $error) {
                    throw new StatusException(STATUS_NOT_FOUND, $error->getMessage());
                }
            },
        ]);
        self::assertSame(['grpc-status: 5', 'grpc-message: no row'], $call->output->fields);
        self::assertSame('', $this->log());
    }

    public function test_an_interceptor_changes_the_request_and_the_response(): void
    {
        $echo = static fn (StringValue $request): StringValue => new StringValue(['value' => "<{$request->getValue()}>"]);
        $call = new Call('Unary', Call::message('ab'), $echo, [], null, [
            static fn (InterceptedCall $call, Closure $next): Message
                => new StringValue(['value' => $next($call->withRequest(self::reversed($call->request())))->getValue() . '!']),
        ]);
        self::assertSame(Call::message('<ba>!'), $call->output->bytes);
    }

    public function test_the_request_of_a_server_stream_is_read_once(): void
    {
        $method = static function (StringValue $request, ServerCallWriter $writer): void {
            $writer->write($request);
        };
        $call = new Call('ServerStream', Call::messages('ab'), $method, [], null, [
            static function (InterceptedCall $call, Closure $next): ?Message {
                self::assertSame('ab', $call->request()->getValue());
                self::assertNull($call->reader);
                return $next($call->withWriter(new ForwardingWriter($call->writer)));
            },
            static fn (InterceptedCall $call, Closure $next): ?Message => $next($call->withRequest(self::reversed($call->request()))),
        ]);
        self::assertSame(['ba'], $call->texts());
    }

    public function test_an_interceptor_wraps_reader_and_writer(): void
    {
        $method = static function (ServerCallReader $reader, ServerCallWriter $writer): void {
            $writer->start($reader->read());
            $writer->write($reader->read());
            $writer->finish($reader->read());
            self::assertTrue($writer->finished());
        };
        $call = new Call('BidiStream', Call::messages('ab', 'cd', 'ef'), $method, [], null, [self::wrapping()]);
        self::assertSame(['ba!', 'dc!', 'fe!'], $call->texts());
        self::assertSame(['grpc-status: 0'], $call->output->trailerLines());
    }

    public function test_a_wrapped_writer_sends_the_initial_metadata_early(): void
    {
        $output = new RecordedOutput();
        $method = static function (ServerCallReader $reader, ServerCallWriter $writer, ServerContext $context) use ($output): void {
            $context->setInitialMetadata(['x-early' => ['1']]);
            $writer->start();
            self::assertSame(['x-early: 1'], $output->fields);
        };
        self::assertSame(0, (new Call('BidiStream', '', $method, [], $output, [self::wrapping()]))->status, $this->log());
    }

    public function test_an_interceptor_passes_a_value_to_the_service(): void
    {
        $method = static fn ($request, ServerContext $context): StringValue
            => new StringValue(['value' => json_encode([$context->value('user'), $context->value('nothing')])]);
        $call = new Call('Unary', '', $method, [], null, [
            static function (InterceptedCall $call, Closure $next): ?Message {
                $call->context->setValue('user', 'Ada');
                return $next($call);
            },
        ]);
        self::assertSame(Call::message('["Ada",null]'), $call->output->bytes);
    }

    public function test_an_unknown_method_reaches_no_interceptor(): void
    {
        $call = $this->refused('Unknown', '', static fn () => self::fail('the interceptor was called'));
        self::assertSame(STATUS_UNIMPLEMENTED, $call->status);
    }

    private function refused(string $name, string $input, Closure $interceptor): Call
    {
        return new Call($name, $input, static fn () => self::fail('the method was called'), [], null, [$interceptor]);
    }

    /** @return list<string> */
    private static function trailers(Call $call): array
    {
        return $call->output->fields ?: $call->output->trailerLines();
    }

    private static function reversed(Message $message): StringValue
    {
        return new StringValue(['value' => strrev($message->getValue())]);
    }

    /** Reverses what is read, and adds a mark to what is written. */
    private static function wrapping(): Closure
    {
        $reverse = static fn (Message $message): StringValue => self::reversed($message);
        return static fn (InterceptedCall $call, Closure $next): ?Message => $next($call
            ->withReader(new class ($call->reader, $reverse) extends ForwardingReader {
                public function __construct(ServerCallReader $reader, private readonly Closure $change)
                {
                    parent::__construct($reader);
                }

                public function read(): ?object
                {
                    $message = parent::read();
                    return $message === null ? null : ($this->change)($message);
                }
            })
            ->withWriter(new class ($call->writer) extends ForwardingWriter {
                public function write(Message $data, array $options = []): void
                {
                    parent::write(new StringValue(['value' => "{$data->getValue()}!"]), $options);
                }
            }));
    }
}
