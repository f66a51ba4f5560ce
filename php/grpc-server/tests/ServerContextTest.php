<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\IncomingCall;
use Grpc\ServerContext;
use Grpc\Timeval;
use InvalidArgumentException;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use UnexpectedValueException;

final class ServerContextTest extends TestCase
{
    public function test_it_describes_the_call(): void
    {
        $context = self::context(['REQUEST_URI' => '/a.B/C?d', 'HTTP_HOST' => 'shop:80']);
        self::assertSame('/a.B/C', $context->method());
        self::assertSame('shop:80', $context->host());
        self::assertSame([], $context->clientMetadata());
        self::assertFalse($context->messageCompressed());
    }

    public function test_it_tells_what_the_proxy_knows_of_tls(): void
    {
        $tls = ['HTTPS' => 'on', 'SSL_PROTOCOL' => 'TLSv1.3', 'SSL_CLIENT_VERIFY' => 'SUCCESS', 'SSL_CLIENT_SAN_DNS_0' => 'a'];
        $others = ['SSL_CERT_FILE' => '/a', 'HTTP_SSL_CLIENT_VERIFY' => 'SUCCESS', 'HTTPS_' => 'on', 'argv' => []];
        self::assertSame($tls, self::context($tls + $others)->tls());
        self::assertSame([], self::context($others)->tls());
    }

    public function test_it_tells_the_protocol_and_the_codec_of_the_client(): void
    {
        $context = self::context(['GRPC_CLIENT_PROTOCOL' => 'connect', 'GRPC_CLIENT_CODEC' => 'json']);
        self::assertSame(['connect', 'json'], [$context->clientProtocol(), $context->clientCodec()]);
        $context = self::context([]);
        self::assertSame(['', ''], [$context->clientProtocol(), $context->clientCodec()]);
    }

    /** @dataProvider contentTypes */
    #[DataProvider('contentTypes')]
    public function test_the_suffix_of_the_content_type_names_the_encoding(string $contentType, bool $isProtobuf): void
    {
        self::assertSame($isProtobuf, (new IncomingCall(['CONTENT_TYPE' => $contentType]))->isProtobuf());
    }

    /** @return list<array{string, bool}> */
    public static function contentTypes(): array
    {
        return [
            ['application/grpc', true],
            ['application/grpc+proto', true],
            ['application/grpc+proto ; a=b', true],
            ['application/grpc;charset=utf-8', true],
            ['', true],
            ['application/grpc+json', false],
            ['application/grpc+proto2', false],
            ['application/grpc+', false],
        ];
    }

    public function test_a_deadline_is_a_point_in_time(): void
    {
        $deadline = (int) ((microtime(true) + 10) * 1e6);
        $context = self::context(['GRPC_DEADLINE' => (string) $deadline]);
        self::assertSame(0, Timeval::compare(new Timeval($deadline), $context->deadline()));
        self::assertEqualsWithDelta(10, $context->secondsLeft(), 1);
        self::assertFalse($context->cancelled());
    }

    public function test_an_expired_deadline_cancels_the_call(): void
    {
        $context = self::context(['GRPC_DEADLINE' => '1']);
        self::assertSame(0.0, $context->secondsLeft());
        self::assertTrue($context->cancelled());
    }

    public function test_without_a_deadline_the_time_is_infinite(): void
    {
        $context = self::context([]);
        self::assertSame(INF, $context->secondsLeft());
        self::assertSame(0, Timeval::compare(Timeval::infFuture(), $context->deadline()));
        self::assertFalse($context->cancelled());
    }

    /**
     * @dataProvider invalidStatuses
     * @param array<mixed> $status
     */
    #[DataProvider('invalidStatuses')]
    public function test_an_invalid_status_is_refused(array $status): void
    {
        $this->expectException(InvalidArgumentException::class);
        self::context([])->setStatus($status);
    }

    /** @return list<array{array<mixed>}> */
    public static function invalidStatuses(): array
    {
        return [
            [[]],
            [['code' => '5', 'details' => '']],
            [['code' => 5]],
            [['code' => 5, 'details' => '', 'metadata' => ['A' => ['a']]]],
        ];
    }

    public function test_an_unknown_encoding_is_refused(): void
    {
        $this->expectException(InvalidArgumentException::class);
        self::context([])->setCompression("gzip\r\n");
    }

    public function test_an_unknown_kind_of_call_is_refused(): void
    {
        $this->expectException(UnexpectedValueException::class);
        self::context(['GRPC_CALL_KIND' => 'other']);
    }

    /** @param array<string, string> $variables */
    private static function context(array $variables): ServerContext
    {
        return new ServerContext(new IncomingCall($variables));
    }

    /** @dataProvider peers */
    #[DataProvider('peers')]
    public function test_the_peer_is_an_address_with_a_port(string $address, string $port, string $peer): void
    {
        $context = new ServerContext(new IncomingCall(['REMOTE_ADDR' => $address, 'REMOTE_PORT' => $port]));
        self::assertSame($peer, $context->peer());
    }

    /** @return list<array{string, string, string}> */
    public static function peers(): array
    {
        return [
            ['192.0.2.1', '50000', '192.0.2.1:50000'],
            ['2001:db8::1', '50000', '[2001:db8::1]:50000'],
        ];
    }
}
