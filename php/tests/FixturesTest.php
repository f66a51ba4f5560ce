<?php

declare(strict_types=1);

namespace Tests;

use Grpc\FrameFlags;
use Grpc\Tests\FastCgiCall;
use Grpc\Tests\Frames;
use Grpc\Tests\PhpFpm;
use PDO;
use PHPUnit\Framework\TestCase;

/** Tests the fixtures that the proxy's tests rely on; each test has the name of a fixture. */
final class FixturesTest extends TestCase
{
    private static PhpFpm $phpFpm;
    private static string $folder;

    public static function setUpBeforeClass(): void
    {
        self::$folder = sys_get_temp_dir() . '/fixtures-' . bin2hex(random_bytes(8));
        mkdir(self::$folder);
        self::$phpFpm = new PhpFpm(['ENDED_FILE' => self::$folder . '/ended', 'COUNTER_DB' => self::$folder . '/counter.sqlite']);
    }

    public static function tearDownAfterClass(): void
    {
        self::$phpFpm->stop();
        array_map(unlink(...), glob(self::$folder . '/*'));
        rmdir(self::$folder);
    }

    public function test_stream_echo(): void
    {
        $call = self::call('stream_echo', ['HTTP_X_ENCODING' => 'zstd']);
        $call->send(Frames::encode('first', FrameFlags::COMPRESSED));
        self::assertSame(['grpc-encoding: zstd', 'content-type: application/grpc'], self::sortedFields($call));
        self::assertSame([FrameFlags::COMPRESSED, 'first'], $call->frame());
        $call->send(Frames::encode(''));
        self::assertSame([0, ''], $call->frame());
        $call->endInput();
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], $call->frame());
    }

    public function test_stream_count(): void
    {
        $call = self::call('stream_count', ['HTTP_X_COUNT' => '2', 'HTTP_X_SIZE' => '3']);
        $call->send(Frames::encode(''));
        self::assertSame([[0, 'aaa'], [0, 'aaa'], [FrameFlags::TRAILERS, "grpc-status: 0\r\n"]], self::answerFrames($call));
    }

    public function test_stream_sum(): void
    {
        $call = self::call('stream_sum');
        $call->send(Frames::encode('ab') . Frames::encode('') . Frames::encode(str_repeat('c', 100_000)));
        self::assertSame([[0, '3 100002'], [FrameFlags::TRAILERS, "grpc-status: 0\r\n"]], self::answerFrames($call));
    }

    public function test_stream_no_trailers(): void
    {
        self::assertSame([[0, 'the only message']], self::answerFrames(self::call('stream_no_trailers')));
    }

    public function test_stream_trailers(): void
    {
        $call = self::call('stream_trailers', ['HTTP_X_STATUS' => '7', 'HTTP_X_MESSAGE' => 'a%20b']);
        $call->endInput();
        self::assertContains('x-initial: first', $call->fields());
        self::assertSame([0, 'before the trailers'], $call->frame());
        $trailers = "X-Trailing: one\r\nx-trailing: two\r\nx-trailing-bin: q6ur\r\ngrpc-message: a%20b\r\n";
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 7\r\n$trailers"], $call->frame());
        self::assertSame('behind the trailers', $call->rest());
    }

    public function test_stream_never_reads(): void
    {
        $call = self::call('stream_never_reads');
        $call->fields();
        for ($i = 0; $i < 10; $i++) {
            self::assertSame([0, "message $i"], $call->frame());
        }
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], $call->frame());
    }

    public function test_stream_slow(): void
    {
        $call = self::call('stream_slow');
        $call->fields();
        self::assertSame([0, 'message 0'], $call->frame());
        self::assertSame([0, 'message 1'], $call->frame());
        self::assertFileDoesNotExist(self::$folder . '/ended');
        $call->close();
        for ($i = 0; $i < 500 && !file_exists(self::$folder . '/ended'); $i++) {
            usleep(10_000);
            clearstatcache();
        }
        self::assertFileExists(self::$folder . '/ended');
    }

    public function test_counter(): void
    {
        $calls = array_map(static function (int $i): FastCgiCall {
            $call = self::call('counter', ['CONTENT_LENGTH' => '2'], 'unary');
            $call->send("m$i");
            $call->endInput();
            return $call;
        }, [1, 2, 3, 4]);
        foreach ($calls as $i => $call) {
            self::assertContains('grpc-status: 0', $call->fields());
            self::assertSame('m' . $i + 1, $call->rest());
        }
        $rows = (new PDO('sqlite:' . self::$folder . '/counter.sqlite'))->query('SELECT message FROM call ORDER BY message');
        self::assertSame(['m1', 'm2', 'm3', 'm4'], $rows->fetchAll(PDO::FETCH_COLUMN));
    }

    /** @return list<array{int, string}> flags and content of each frame */
    private static function answerFrames(FastCgiCall $call): array
    {
        $call->endInput();
        $call->fields();
        return Frames::decode($call->rest());
    }

    /** @return list<string> */
    private static function sortedFields(FastCgiCall $call): array
    {
        $fields = $call->fields();
        rsort($fields);
        return $fields;
    }

    /** @param array<string, string> $variables */
    private static function call(string $fixture, array $variables = [], string $kind = 'bidi_stream'): FastCgiCall
    {
        $script = realpath(__DIR__ . "/../fixtures/$fixture.php");
        return self::$phpFpm->call($script, '/test.Fixture/Call', $kind, $variables);
    }
}
