<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\Signal;
use Grpc\Wait;
use InvalidArgumentException;
use PHPUnit\Framework\TestCase;

/** Waits outside of a resident worker, where they block. */
final class WaitTest extends TestCase
{
    public function test_sleeps_for_the_whole_time(): void
    {
        $began = hrtime(true);
        Wait::sleep(0.01);
        self::assertGreaterThanOrEqual(10_000_000, hrtime(true) - $began);
        Wait::sleep(-1);
    }

    public function test_a_stream_with_something_to_read_is_readable(): void
    {
        [$near, $far] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        self::assertFalse(Wait::readable($near, 0.01));
        self::assertFalse(Wait::readable($near, 0));
        fwrite($far, 'x');
        self::assertTrue(Wait::readable($near));
        fread($near, 1);
        fclose($far);
        self::assertTrue(Wait::readable($near, 1));
    }

    public function test_a_closed_stream_is_refused(): void
    {
        $stream = fopen('php://memory', 'r');
        fclose($stream);
        $this->expectException(InvalidArgumentException::class);
        Wait::readable($stream);
    }

    public function test_the_time_or_the_stream_ends_a_wait_for_several_things(): void
    {
        [$near, $far] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        $signal = new Signal();
        $signal->raise();
        self::assertFalse(Wait::first(signal: $signal, seconds: 0.01));
        self::assertFalse(Wait::first(signal: $signal, stream: $near, seconds: 0.01));
        fwrite($far, 'x');
        self::assertTrue(Wait::first(signal: $signal, stream: $near));
    }

    public function test_a_wait_that_nothing_could_end_is_refused(): void
    {
        $this->expectException(InvalidArgumentException::class);
        Wait::first(signal: new Signal());
    }
}
