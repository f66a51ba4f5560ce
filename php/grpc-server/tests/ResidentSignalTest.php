<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\Resident\Frame;

/** Streaming calls of a resident worker wait for the first of several things. */
final class ResidentSignalTest extends ResidentTestCase
{
    protected const SCRIPT = __DIR__ . '/signals.php';

    public function test_a_signal_wakes_all_calls_that_wait_for_it(): void
    {
        $calls = [$this->proxy->bidi(), $this->proxy->bidi()];
        foreach ($calls as $call) {
            $this->send($call, 'first');
            $this->awaitEvents($call, ['first']);
        }
        for ($i = 1; $i <= 2; $i++) {
            $this->execute('raise');
            foreach ($calls as $call) {
                $this->awaitEvents($call, ['first', ...array_fill(0, $i, 'signal')]);
            }
        }
    }

    public function test_a_message_and_the_end_of_the_messages_end_a_wait(): void
    {
        $call = $this->proxy->bidi('a');
        $this->awaitEvents($call, ['a']);
        // What arrives together is read one by one.
        $this->proxy->send(Frame::DATA, $call, Call::messages('b', 'c'));
        $this->awaitEvents($call, ['a', 'b', 'c']);
        $this->proxy->send(Frame::END, $call);
        $this->awaitEvents($call, ['a', 'b', 'c', 'end']);
        $this->execute('raise');
        $this->awaitEvents($call, ['a', 'b', 'c', 'end', 'signal']);
    }

    public function test_a_part_of_a_message_ends_a_wait(): void
    {
        $call = $this->proxy->bidi();
        $message = Call::messages('whole');
        $this->proxy->send(Frame::DATA, $call, substr($message, 0, 3));
        $this->execute('raise');
        $this->proxy->send(Frame::DATA, $call, substr($message, 3));
        $this->awaitEvents($call, ['whole']);
    }

    public function test_a_time_ends_a_wait(): void
    {
        $call = $this->proxy->bidi('soon');
        $this->awaitEvents($call, ['soon', 'time']);
    }

    public function test_a_cancelled_call_waits_no_more(): void
    {
        $cancelled = $this->proxy->bidi('a');
        $other = $this->proxy->bidi('a');
        $this->awaitEvents($other, ['a']);
        $this->proxy->send(Frame::CANCEL, $cancelled);
        $this->execute('raise');
        $this->awaitEvents($other, ['a', 'signal']);
        self::assertContains($cancelled, $this->proxy->ended);
    }

    private function send(int $call, string $text): void
    {
        $this->proxy->send(Frame::DATA, $call, Call::messages($text));
    }

    /** @param list<string> $expected */
    private function awaitEvents(int $call, array $expected): void
    {
        $frames = $this->proxy->awaitFrames($call, count($expected));
        self::assertSame($expected, array_map(static fn (array $frame): string => self::text($frame[1]), $frames));
    }
}
