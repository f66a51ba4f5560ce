<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\FrameFlags;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

/** The examples of README.md under php-fpm, in calls by themselves and in a resident worker. */
final class ReadmeInterceptorTest extends TestCase
{
    private const SCRIPT = __DIR__ . '/intercepted.php';
    private const AUTHORIZED = "authorization: bearer secret\n";

    private static PhpFpm $phpFpm;
    private static string $interceptors;

    public static function setUpBeforeClass(): void
    {
        self::$interceptors = sys_get_temp_dir() . '/interceptors-' . bin2hex(random_bytes(8)) . '.php';
        ReadmeInterceptors::write(self::$interceptors);
        self::$phpFpm = new PhpFpm(['INTERCEPTORS' => self::$interceptors]);
    }

    public static function tearDownAfterClass(): void
    {
        self::$phpFpm->stop();
        unlink(self::$interceptors);
    }

    public function test_a_valid_token_reaches_the_service_and_the_log_has_a_line(): void
    {
        $call = $this->call('Unary', 'unary', Call::message(''), self::AUTHORIZED);
        self::assertContains('grpc-status: 0', $call->fields());
        self::assertSame(Call::message('Ada'), $call->rest());
        self::assertMatchesRegularExpression('~/test\.Scripted/Unary: status 0, 1 messages, \d+\.\d ms~', $call->log);
    }

    public function test_a_stream_passes_the_interceptors(): void
    {
        foreach (['ServerStream' => 'server_stream', 'ClientStream' => 'client_stream', 'BidiStream' => 'bidi_stream'] as $name => $kind) {
            $messages = $kind === 'server_stream' ? Call::messages('') : Call::messages('', '');
            $call = $this->call($name, $kind, $messages, self::AUTHORIZED);
            $call->fields();
            $frames = Frames::decode($call->rest());
            self::assertSame([0, Call::message('Ada')], $frames[0]);
            self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], end($frames));
            $count = $kind === 'client_stream' ? 1 : 2;
            self::assertStringContainsString("/test.Scripted/$name: status 0, $count messages", $call->log);
        }
    }

    /** @dataProvider invalid */
    #[DataProvider('invalid')]
    public function test_other_tokens_are_unauthenticated(string $metadata): void
    {
        $call = $this->call('Unary', 'unary', Call::message(''), $metadata);
        self::assertContains('grpc-status: 16', $call->fields());
        self::assertSame('', $call->rest());
        self::assertStringContainsString('/test.Scripted/Unary: status 16, 0 messages', $call->log);
    }

    /** @return list<array{string}> */
    public static function invalid(): array
    {
        return [
            [''], ["authorization: Bearer\n"], ["authorization: Bearer wrong\n"], ["authorization: Basic secret\n"],
            ["authorization: secret\n"], ["authorization: Bearer wrong\nauthorization: Bearer secret\n"],
        ];
    }

    public function test_a_resident_worker_tells_its_calls_apart(): void
    {
        $proxy = new ResidentProxy(self::$phpFpm, self::SCRIPT);
        $stream = $proxy->call('BidiStream', ResidentProxy::BIDI_STREAM, Call::messages(''), false, ['metadata' => self::AUTHORIZED]);
        self::assertSame([[0, Call::message('Ada')]], $proxy->awaitFrames($stream, 1));
        $refused = $proxy->call('BidiStream', ResidentProxy::BIDI_STREAM, Call::messages(''), false);
        $proxy->answer($refused);
        $trailers = "grpc-status: 16\r\ngrpc-message: a valid bearer token is required\r\n";
        self::assertSame([FrameFlags::TRAILERS, $trailers], $proxy->frames($refused)[0]);
        $unary = $proxy->call('Unary', ResidentProxy::UNARY, Call::message(''), true, ['metadata' => self::AUTHORIZED]);
        self::assertSame([['grpc-status: 0'], Call::message('Ada')], $proxy->answer($unary));
        $proxy->send(\Grpc\Resident\Frame::END, $stream, Call::messages(''));
        $proxy->answer($stream);
        self::assertSame([0, Call::message('Ada')], $proxy->frames($stream)[1]);
        $proxy->close();
        $proxy->request->rest();
        self::assertMatchesRegularExpression('~BidiStream: status 0, 2 messages~', $proxy->request->log);
        self::assertMatchesRegularExpression('~BidiStream: status 16, 0 messages~', $proxy->request->log);
    }

    private function call(string $name, string $kind, string $input, string $metadata): FastCgiCall
    {
        $variables = ['GRPC_METADATA' => $metadata] + ($kind === 'unary' ? ['CONTENT_LENGTH' => (string) strlen($input)] : []);
        $call = self::$phpFpm->call(self::SCRIPT, "/test.Scripted/$name", $kind, $variables);
        $call->send($input);
        $call->endInput();
        return $call;
    }
}
