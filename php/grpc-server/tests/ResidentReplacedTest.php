<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\FrameFlags;
use Grpc\Resident\Frame;
use PHPUnit\Framework\Attributes\DataProvider;

/** Calls that end with their resident worker. */
final class ResidentReplacedTest extends ResidentTestCase
{
    private const STATUS = "grpc-status: 14\r\ngrpc-message: the application's worker is being replaced\r\n";

    /**
     * @param list<string> $commands
     * @dataProvider waits
     */
    #[DataProvider('waits')]
    public function test_a_call_that_waits_is_told_that_its_client_is_to_call_again(array $commands): void
    {
        $call = $this->proxy->bidi('ends', ...$commands);
        $this->proxy->awaitFrames($call, 1);
        $this->proxy->send(Frame::RETIRE, 0);
        $this->assertReplaced($call);
        $this->proxy->awaitEnd();
        self::assertContains('after /test.Scripted/BidiStream 14', self::notes());
    }

    /** @return array<string, array{list<string>}> */
    public static function waits(): array
    {
        return ['for a message' => [[]], 'for a time' => [['sleep 3600']]];
    }

    public function test_a_call_that_waits_for_a_stream_is_told_too(): void
    {
        [$listener, $address] = self::listener();
        $call = $this->proxy->bidi('ends', "wait $address");
        self::awaitNote('waits');
        self::$phpFpm->reload();
        $this->proxy->until(fn (): bool => $this->proxy->wantsToRetire);
        $this->proxy->send(Frame::RETIRE, 0);
        $this->assertReplaced($call);
        $this->proxy->awaitEnd();
        fclose($listener);
    }

    public function test_a_call_that_does_not_wait_is_told_before_its_next_message(): void
    {
        $call = $this->proxy->bidi();
        $this->proxy->send(Frame::RETIRE, 0);
        $this->proxy->send(Frame::DATA, $call, Call::messages('ends', 'more'));
        $this->assertReplaced($call);
        $this->proxy->awaitEnd();
    }

    public function test_other_calls_go_on(): void
    {
        $ends = $this->proxy->bidi('ends');
        $this->proxy->awaitFrames($ends, 1);
        $goesOn = $this->proxy->bidi('a');
        $this->proxy->send(Frame::RETIRE, 0);
        $this->assertReplaced($ends);
        $this->proxy->send(Frame::END, $goesOn, Call::messages('b'));
        self::assertStringEndsWith("grpc-status: 0\r\n", $this->proxy->answer($goesOn)[1]);
        $this->proxy->awaitEnd();
    }

    public function test_a_client_that_does_not_read_does_not_hold_the_worker(): void
    {
        $this->proxy->returnsCredit = false;
        $call = $this->proxy->bidi('ends', 'large 100000');
        $this->proxy->until(fn (): bool => strlen($this->proxy->answers[$call] ?? '') === Frame::FIRST_CREDIT);
        $this->proxy->send(Frame::RETIRE, 0);
        $this->proxy->awaitEnd();
        self::assertContains($call, $this->proxy->ended);
        self::assertContains('after /test.Scripted/BidiStream 1', self::notes());
    }

    public function test_a_client_that_reads_late_gets_the_rest_and_the_status(): void
    {
        $this->proxy->returnsCredit = false;
        $call = $this->proxy->bidi('ends', 'large 100000');
        $this->proxy->until(fn (): bool => strlen($this->proxy->answers[$call] ?? '') === Frame::FIRST_CREDIT);
        // Together: the worker waits for this credit only for a time.
        $credit = ResidentProxy::frame(Frame::CREDIT, $call, pack('N', 1 << 20));
        $this->proxy->raw(ResidentProxy::frame(Frame::RETIRE, 0, '') . $credit);
        $this->assertReplaced($call);
        self::assertCount(3, $this->proxy->frames($call));
        $this->proxy->awaitEnd();
    }

    private function assertReplaced(int $call): void
    {
        $this->proxy->answer($call);
        $frames = $this->proxy->frames($call);
        self::assertSame([FrameFlags::TRAILERS, self::STATUS], end($frames));
    }
}
