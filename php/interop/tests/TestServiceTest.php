<?php

declare(strict_types=1);

namespace Interop\Tests;

use Google\Protobuf\Internal\Message;
use Grpc\FrameFlags;
use Grpc\Tests\FastCgiCall;
use Grpc\Tests\Frames;
use Grpc\Tests\PhpFpm;
use Grpc\Testing\BoolValue;
use Grpc\Testing\EchoStatus;
use Grpc\Testing\Payload;
use Grpc\Testing\ResponseParameters;
use Grpc\Testing\SimpleRequest;
use Grpc\Testing\SimpleResponse;
use Grpc\Testing\StreamingInputCallRequest;
use Grpc\Testing\StreamingInputCallResponse;
use Grpc\Testing\StreamingOutputCallRequest;
use Grpc\Testing\StreamingOutputCallResponse;
use PHPUnit\Framework\TestCase;

/** The interoperability cases that need only a server, under their official names, on php-fpm. */
final class TestServiceTest extends TestCase
{
    private const SPECIAL_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
    private const ENCODED_SPECIAL_MESSAGE = '%09%0atest with whitespace%0d%0aand unicode bmp %e2%98%ba and non-bmp %f0%9f%98%88%09%0a';

    private static PhpFpm $phpFpm;

    public static function setUpBeforeClass(): void
    {
        self::$phpFpm = new PhpFpm();
    }

    public static function tearDownAfterClass(): void
    {
        self::$phpFpm->stop();
    }

    public function test_empty_unary(): void
    {
        self::assertSame([['grpc-status: 0'], ''], self::unary('EmptyCall', ''));
    }

    public function test_large_unary(): void
    {
        [$fields, $body] = self::unary('UnaryCall', self::large());
        self::assertSame(['grpc-status: 0'], $fields);
        self::assertSame(str_repeat("\0", 314159), self::response($body)->getPayload()->getBody());
    }

    public function test_client_compressed_unary(): void
    {
        foreach ([[true, '0', '3'], [true, '1', '0'], [false, '0', '0'], [false, '1', '3']] as [$expected, $actual, $status]) {
            $request = self::large(['expect_compressed' => new BoolValue(['value' => $expected])]);
            $fields = self::unary('UnaryCall', $request, ['GRPC_MESSAGE_COMPRESSED' => $actual])[0];
            self::assertSame("grpc-status: $status", $fields[0]);
        }
    }

    public function test_server_compressed_unary(): void
    {
        $request = self::large(['response_compressed' => new BoolValue(['value' => true])]);
        self::assertSame(['grpc-encoding: gzip', 'grpc-status: 0'], self::unary('UnaryCall', $request)[0]);
        $request = self::large(['response_compressed' => new BoolValue(['value' => false])]);
        self::assertSame(['grpc-status: 0'], self::unary('UnaryCall', $request)[0]);
    }

    public function test_pick_first_unary(): void
    {
        $ids = [];
        for ($call = 0; $call < 3; $call++) {
            [, $body] = self::unary('UnaryCall', new SimpleRequest(['fill_server_id' => true]));
            $ids[] = self::response($body)->getServerId();
        }
        self::assertNotSame('', $ids[0]);
        self::assertCount(1, array_unique($ids));
    }

    public function test_cacheable_unary(): void
    {
        [$fields, $body] = self::unary('CacheableUnaryCall', new SimpleRequest());
        self::assertSame(['cache-control: public, max-age=60', 'grpc-status: 0'], $fields);
        self::assertMatchesRegularExpression('/^\d{19}$/', self::response($body)->getPayload()->getBody());
    }

    public function test_client_streaming(): void
    {
        $call = self::call('StreamingInputCall', 'client_stream');
        foreach ([27182, 8, 1828, 45904] as $size) {
            self::send($call, new StreamingInputCallRequest(['payload' => self::payload($size)]));
        }
        $call->endInput();
        self::assertSame([], self::fields($call));
        $response = new StreamingInputCallResponse();
        $response->mergeFromString($call->frame()[1]);
        self::assertSame(74922, $response->getAggregatedPayloadSize());
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], $call->frame());
    }

    public function test_client_compressed_streaming(): void
    {
        $compressed = new StreamingInputCallRequest(
            ['payload' => self::payload(27182), 'expect_compressed' => new BoolValue(['value' => true])],
        );
        $plain = new StreamingInputCallRequest(
            ['payload' => self::payload(45904), 'expect_compressed' => new BoolValue(['value' => false])],
        );
        $probe = self::call('StreamingInputCall', 'client_stream');
        self::send($probe, $compressed);
        self::fields($probe);
        self::assertStringContainsString('grpc-status: 3', $probe->frame()[1]);

        $call = self::call('StreamingInputCall', 'client_stream');
        self::send($call, $compressed, FrameFlags::COMPRESSED);
        self::send($call, $plain);
        $call->endInput();
        self::fields($call);
        $response = new StreamingInputCallResponse();
        $response->mergeFromString($call->frame()[1]);
        self::assertSame(73086, $response->getAggregatedPayloadSize());
    }

    public function test_server_streaming(): void
    {
        $sizes = [31415, 9, 2653, 58979];
        $call = self::call('StreamingOutputCall', 'server_stream');
        self::send($call, self::request(...$sizes));
        $call->endInput();
        self::fields($call);
        foreach ($sizes as $size) {
            self::assertResponse($size, $call);
        }
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], $call->frame());
    }

    public function test_server_compressed_streaming(): void
    {
        $request = self::request(31415, 92653);
        $request->getResponseParameters()[0]->setCompressed(new BoolValue(['value' => true]));
        $request->getResponseParameters()[1]->setCompressed(new BoolValue(['value' => false]));
        $call = self::call('StreamingOutputCall', 'server_stream');
        self::send($call, $request);
        $call->endInput();
        self::assertSame(['grpc-encoding: gzip'], self::fields($call));
        self::assertResponse(31415, $call, FrameFlags::COMPRESSED);
        self::assertResponse(92653, $call, 0);
    }

    public function test_the_server_waits_for_the_interval(): void
    {
        $request = self::request(1, 1);
        $request->getResponseParameters()[1]->setIntervalUs(50_000);
        $call = self::call('StreamingOutputCall', 'server_stream');
        self::send($call, $request);
        $call->endInput();
        self::fields($call);
        self::assertResponse(1, $call);
        $first = hrtime(true);
        self::assertResponse(1, $call);
        self::assertGreaterThan(40e6, hrtime(true) - $first);
    }

    public function test_ping_pong(): void
    {
        $call = self::call('FullDuplexCall', 'bidi_stream');
        foreach ([[31415, 27182], [9, 8], [2653, 1828], [58979, 45904]] as $i => [$answered, $sent]) {
            self::send($call, self::request($answered)->setPayload(self::payload($sent)));
            if ($i === 0) {
                self::fields($call);
            }
            self::assertResponse($answered, $call);
        }
        $call->endInput();
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], $call->frame());
    }

    public function test_empty_stream(): void
    {
        $call = self::call('FullDuplexCall', 'bidi_stream');
        $call->endInput();
        self::fields($call);
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], $call->frame());
    }

    public function test_half_duplex_waits_for_all_requests(): void
    {
        $call = self::call('HalfDuplexCall', 'bidi_stream');
        self::send($call, self::request(1, 2));
        self::send($call, self::request(3));
        $call->endInput();
        self::fields($call);
        array_map(static fn (int $size) => self::assertResponse($size, $call), [1, 2, 3]);
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], $call->frame());
    }

    public function test_custom_metadata(): void
    {
        $metadata = ['GRPC_METADATA' => "x-grpc-test-echo-initial: test_initial_metadata_value\nx-grpc-test-echo-trailing-bin: q6ur\n"];
        self::assertSame([
            'x-grpc-test-echo-initial: test_initial_metadata_value',
            'grpc-status: 0',
            'grpc-trailer-x-grpc-test-echo-trailing-bin: q6ur',
        ], self::unary('UnaryCall', self::large(), $metadata)[0]);

        $call = self::call('FullDuplexCall', 'bidi_stream', $metadata);
        self::send($call, self::request(314159)->setPayload(self::payload(271828)));
        $call->endInput();
        self::assertContains('x-grpc-test-echo-initial: test_initial_metadata_value', self::fields($call));
        self::assertResponse(314159, $call);
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\nx-grpc-test-echo-trailing-bin: q6ur\r\n"], $call->frame());
    }

    public function test_status_code_and_message(): void
    {
        $status = new EchoStatus(['code' => 2, 'message' => 'test status message']);
        [$fields, $body] = self::unary('UnaryCall', new SimpleRequest(['response_status' => $status]));
        self::assertSame([['grpc-status: 2', 'grpc-message: test status message'], ''], [$fields, $body]);

        $call = self::call('FullDuplexCall', 'bidi_stream');
        self::send($call, new StreamingOutputCallRequest(['response_status' => $status]));
        $call->endInput();
        self::fields($call);
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 2\r\ngrpc-message: test status message\r\n"], $call->frame());
    }

    public function test_special_status_message(): void
    {
        $status = new EchoStatus(['code' => 2, 'message' => self::SPECIAL_MESSAGE]);
        $fields = self::unary('UnaryCall', new SimpleRequest(['response_status' => $status]))[0];
        self::assertSame(['grpc-status: 2', 'grpc-message: ' . self::ENCODED_SPECIAL_MESSAGE], $fields);
    }

    public function test_unimplemented_method(): void
    {
        self::assertSame('grpc-status: 12', self::unary('UnimplementedCall', '')[0][0]);
    }

    public function test_unimplemented_service(): void
    {
        $path = '/grpc.testing.UnimplementedService/UnimplementedCall';
        self::assertContains('grpc-status: 12', self::$phpFpm->unary(self::script(), $path, '')[0]);
    }

    public function test_an_unsupported_response_type_is_invalid(): void
    {
        self::assertSame('grpc-status: 3', self::unary('UnaryCall', new SimpleRequest(['response_type' => 1]))[0][0]);
    }

    /** @param array<string, mixed> $more */
    private static function large(array $more = []): SimpleRequest
    {
        return new SimpleRequest(['response_size' => 314159, 'payload' => self::payload(271828)] + $more);
    }

    private static function payload(int $size): Payload
    {
        return new Payload(['body' => str_repeat("\0", $size)]);
    }

    private static function request(int ...$sizes): StreamingOutputCallRequest
    {
        $parameters = array_map(static fn (int $size) => new ResponseParameters(['size' => $size]), $sizes);
        return new StreamingOutputCallRequest(['response_parameters' => $parameters]);
    }

    private static function response(string $body): SimpleResponse
    {
        $response = new SimpleResponse();
        $response->mergeFromString($body);
        return $response;
    }

    private static function assertResponse(int $size, FastCgiCall $call, int $flags = 0): void
    {
        [$seen, $content] = $call->frame();
        $response = new StreamingOutputCallResponse();
        $response->mergeFromString($content);
        self::assertSame([$flags, str_repeat("\0", $size)], [$seen, $response->getPayload()->getBody()]);
    }

    private static function send(FastCgiCall $call, Message $message, int $flags = 0): void
    {
        $call->send(Frames::encode($message->serializeToString(), $flags));
    }

    /** @return list<string> */
    private static function fields(FastCgiCall $call): array
    {
        return array_values(array_diff($call->fields(), ['content-type: application/grpc']));
    }

    /**
     * @param array<string, string> $variables
     * @return array{list<string>, string} header fields and body
     */
    private static function unary(string $method, Message|string $request, array $variables = []): array
    {
        $message = is_string($request) ? $request : $request->serializeToString();
        $path = "/grpc.testing.TestService/$method";
        [$fields, $body] = self::$phpFpm->unary(self::script(), $path, $message, $variables);
        return [array_values(array_diff($fields, ['content-type: application/grpc'])), $body];
    }

    /** @param array<string, string> $variables */
    private static function call(string $method, string $kind, array $variables = []): FastCgiCall
    {
        return self::$phpFpm->call(self::script(), "/grpc.testing.TestService/$method", $kind, $variables);
    }

    private static function script(): string
    {
        return dirname(__DIR__) . '/index.php';
    }
}
