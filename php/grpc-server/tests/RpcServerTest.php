<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Closure;
use Google\Protobuf\StringValue;
use Grpc\IncomingCall;
use Grpc\RpcServer;
use Grpc\ServerContext;
use Grpc\Status;
use Grpc\StatusException;
use LogicException;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use TypeError;

use const Grpc\STATUS_CANCELLED;
use const Grpc\STATUS_INTERNAL;
use const Grpc\STATUS_OK;
use const Grpc\STATUS_PERMISSION_DENIED;
use const Grpc\STATUS_UNIMPLEMENTED;

/** Unary calls, and rules for calls of every kind. */
final class RpcServerTest extends TestCase
{
    use CapturedLog;

    public function test_only_protobuf_is_served(): void
    {
        $echo = static fn ($request) => $request;
        foreach (['application/grpc' => 0, 'application/grpc+proto; x=y' => 0, 'application/grpc+foo' => 12] as $type => $status) {
            self::assertSame($status, (new Call('Unary', Call::message('a'), $echo, ['CONTENT_TYPE' => $type]))->status, $type);
        }
    }

    public function test_a_unary_call_is_a_bare_message_in_each_direction(): void
    {
        $call = $this->call(static fn (StringValue $request): StringValue
            => new StringValue(['value' => strrev($request->getValue())]), Call::message('abc'));
        self::assertSame(['grpc-status: 0'], $call->output->fields);
        self::assertSame(Call::message('cba'), $call->output->bytes);
        self::assertSame(STATUS_OK, $call->status);
    }

    public function test_hooks_run_after_the_answer(): void
    {
        $output = new RecordedOutput();
        $server = new RpcServer();
        $server->handle(new ScriptedService(static fn () => throw new StatusException(STATUS_PERMISSION_DENIED, 'no')));
        $seen = [];
        $server->afterCall(static fn () => throw new LogicException('of the hook'));
        $server->afterCall(static function (ServerContext $context, int $status) use ($output, &$seen): void {
            $seen = [$context->method(), $status, $output->fields[0]];
        });
        $variables = ['REQUEST_URI' => '/test.Scripted/Unary'];
        self::assertSame(STATUS_PERMISSION_DENIED, $server->serve(new IncomingCall($variables, Call::stream('')), $output));
        self::assertSame(['/test.Scripted/Unary', STATUS_PERMISSION_DENIED, 'grpc-status: 7'], $seen);
        self::assertStringContainsString('of the hook', $this->log());
    }

    /** @dataProvider unknownPaths */
    #[DataProvider('unknownPaths')]
    public function test_an_unknown_method_is_unimplemented(string $path): void
    {
        $call = $this->call(static fn () => null, '', ['REQUEST_URI' => $path]);
        self::assertSame(STATUS_UNIMPLEMENTED, $call->status);
        self::assertSame('grpc-status: 12', $call->output->fields[0]);
        self::assertSame('', $call->output->bytes);
    }

    /** @return list<array{string}> */
    public static function unknownPaths(): array
    {
        return [[''], ['/'], ['/test.Scripted/Nothing'], ['/test.scripted/Unary'], ['/test.Scripted/unary']];
    }

    public function test_a_call_of_the_wrong_kind_is_internal(): void
    {
        $call = $this->call(static fn () => null, '', ['REQUEST_URI' => '/test.Scripted/BidiStream']);
        self::assertSame(STATUS_INTERNAL, $call->status);
        self::assertStringContainsString('check its --descriptor-set', $this->log());
    }

    public function test_an_invalid_request_is_internal(): void
    {
        $call = $this->call(static fn () => self::fail('the method was called'), "\x0a\x7f");
        self::assertSame(['grpc-status: 13', 'grpc-message: cannot parse the request'], $call->output->fields);
        self::assertStringContainsString('cannot parse a request of type', $this->log());
    }

    public function test_a_truncated_request_does_not_reach_the_service(): void
    {
        $call = $this->call(static fn () => self::fail('the method was called'), 'ab', ['CONTENT_LENGTH' => '3']);
        self::assertSame(STATUS_CANCELLED, $call->status);
        // The default for a call without an answer.
        self::assertSame(['grpc-status: 2', 'grpc-message: the script ended early'], $call->output->fields);
    }

    public function test_an_exception_is_unknown_and_its_text_goes_only_to_the_log(): void
    {
        foreach ([new LogicException('secret'), new TypeError('secret')] as $error) {
            $call = $this->call(static fn () => throw $error);
            self::assertSame(['grpc-status: 2', 'grpc-message: uncaught exception'], $call->output->fields);
            self::assertSame('', $call->output->bytes);
            self::assertStringContainsString($error::class . ': secret', $this->log());
        }
    }

    public function test_a_status_exception_becomes_the_status(): void
    {
        $call = $this->call(static function (StringValue $request, ServerContext $context): never {
            $context->setTrailingMetadata(['x-set' => ['first']]);
            throw new StatusException(STATUS_PERMISSION_DENIED, 'not you', [], ['x-thrown' => ['second']]);
        });
        self::assertSame(
            ['grpc-status: 7', 'grpc-message: not you', 'grpc-trailer-x-set: first', 'grpc-trailer-x-thrown: second'],
            $call->output->fields,
        );
        self::assertSame('', $this->log());
    }

    public function test_a_method_without_a_response_or_a_status_is_unimplemented(): void
    {
        self::assertSame(STATUS_UNIMPLEMENTED, $this->call(static fn () => null)->status);
        self::assertStringContainsString('returned no response and set no status', $this->log());
    }

    public function test_a_method_that_the_service_does_not_override_is_unimplemented(): void
    {
        $call = $this->call(static fn ($request, ServerContext $context) => $context->setStatus(Status::unimplemented()));
        self::assertSame(['grpc-status: 12', 'grpc-message: UNIMPLEMENTED'], $call->output->fields);
    }

    public function test_metadata_passes_in_both_directions(): void
    {
        $call = $this->call(static function (StringValue $request, ServerContext $context): StringValue {
            $metadata = $context->clientMetadata();
            $context->setInitialMetadata(['x-initial' => $metadata['x-twice']]);
            $context->setStatus(Status::ok(['x-trailing-bin' => $metadata['x-some-bin']]));
            return $request;
        }, '', ['GRPC_METADATA' => "x-twice: one\nx-some-bin: q6ur\nx-twice: two: with a colon\n"]);
        self::assertSame([
            'x-initial: one',
            'x-initial: two: with a colon',
            'grpc-status: 0',
            'grpc-trailer-x-trailing-bin: q6ur',
        ], $call->output->fields);
    }

    public function test_an_error_has_no_response_message_and_its_text_is_percent_encoded(): void
    {
        $call = $this->call(static function (StringValue $request, ServerContext $context): StringValue {
            $context->setStatus(Status::status(STATUS_PERMISSION_DENIED, "\t100%\r\n☺\x7f"));
            return new StringValue(['value' => 'must not be sent']);
        });
        self::assertContains('grpc-message: %09100%25%0D%0A%E2%98%BA%7F', $call->output->fields);
        self::assertSame('', $call->output->bytes);
    }

    /** @dataProvider longMessages */
    #[DataProvider('longMessages')]
    public function test_a_long_message_is_cut_at_a_character(string $text, string $sent): void
    {
        $call = $this->call(static fn () => throw new StatusException(STATUS_PERMISSION_DENIED, $text));
        self::assertSame(['grpc-status: 7', "grpc-message: $sent"], $call->output->fields);
    }

    /** @return array<string, array{string, string}> */
    public static function longMessages(): array
    {
        $cut = ' [truncated]';
        return [
            'the longest' => [str_repeat('x', 4096), str_repeat('x', 4096)],
            'one more' => [str_repeat('x', 4097), str_repeat('x', 4084) . $cut],
            // 9 bytes each on the wire.
            'characters' => [str_repeat('☺', 20_000), str_repeat('%E2%98%BA', 453) . $cut],
            'escapes' => [str_repeat('%', 20_000), str_repeat('%25', 1361) . $cut],
        ];
    }

    public function test_a_status_delays_a_retry(): void
    {
        $call = $this->call(static fn ()
            => throw new StatusException(STATUS_PERMISSION_DENIED, '', [], ['grpc-retry-pushback-ms' => ['1500']]));
        self::assertContains('grpc-retry-pushback-ms: 1500', $call->output->fields);
    }

    public function test_a_service_requests_compression(): void
    {
        $call = $this->call(static function (StringValue $request, ServerContext $context): StringValue {
            $context->setCompression($context->messageCompressed() ? 'zstd' : 'gzip');
            return $request;
        }, '', ['GRPC_MESSAGE_COMPRESSED' => '1']);
        self::assertSame(['grpc-encoding: zstd', 'grpc-status: 0'], $call->output->fields);
    }

    public function test_a_service_announces_that_it_works_on_after_the_answer(): void
    {
        $call = $this->call(static function (StringValue $request, ServerContext $context): StringValue {
            $context->setWorksOn();
            return $request;
        });
        self::assertSame(['connection: close', 'grpc-status: 0'], $call->output->fields);
    }

    public function test_logs_a_method_that_is_registered_twice(): void
    {
        $server = new RpcServer();
        $server->handle(new ScriptedService(static fn () => null));
        $later = new ScriptedService(static fn () => null);
        $methods = $server->handle($later);
        self::assertCount(4, $methods);
        self::assertSame($later, $methods['/test.Scripted/Unary']->service);
        self::assertStringContainsString('registered twice', $this->log());
    }

    /** @param array<string, string> $variables */
    private function call(Closure $method, string $message = '', array $variables = []): Call
    {
        return new Call('Unary', $message, $method, $variables);
    }
}
