<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\Resident\Call;
use Grpc\Resident\Connection;
use Grpc\Resident\Frame;
use Grpc\Resident\MessageMemory;
use Grpc\Resident\Scheduler;
use PHPUnit\Framework\TestCase;

/** When the connection of a resident worker writes what calls send. */
final class ConnectionTest extends TestCase
{
    /** @var resource */
    private $proxy;
    private Connection $connection;

    protected function setUp(): void
    {
        [$worker, $this->proxy] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        stream_set_blocking($this->proxy, false);
        $this->connection = new Connection($worker);
    }

    public function test_what_is_deferred_is_written_together_when_it_is_due(): void
    {
        $this->connection->send(Frame::DATA, 1, 'a');
        $this->connection->defer(1_000_000);
        $this->connection->send(Frame::DATA, 2, 'b');
        $this->connection->defer(1_150_000);
        $this->connection->flushDeferred(1_199_999);
        self::assertSame('', $this->written());
        $this->connection->flushDeferred(1_200_000);
        self::assertSame(ResidentProxy::frame(Frame::DATA, 1, 'a') . ResidentProxy::frame(Frame::DATA, 2, 'b'), $this->written());
        $this->connection->send(Frame::DATA, 1, 'c');
        $this->connection->defer(1_300_000);
        $this->connection->flushDeferred();
        self::assertSame(ResidentProxy::frame(Frame::DATA, 1, 'c'), $this->written());
    }

    public function test_much_is_written_at_once(): void
    {
        $this->connection->send(Frame::DATA, 1, str_repeat('x', 65_536));
        $this->connection->defer(0);
        self::assertSame(65_536 + Frame::HEADER_BYTES, strlen($this->written()));
    }

    public function test_a_call_that_has_soon_waited_after_its_last_messages_defers_the_next_one(): void
    {
        $pause = 0;
        $scheduler = new Scheduler(
            static function (Call $call) use (&$pause): void {
                while (($message = $call->incoming->read()) !== null) {
                    $call->output->message($message, compress: false, flush: true);
                    usleep($pause);
                }
            },
            static fn () => self::fail('nothing waits outside of its fiber'),
            static fn () => null,
            static fn () => null,
        );
        $variables = ['GRPC_CALL_KIND' => 'bidi_stream', 'REQUEST_URI' => '/test.Scripted/BidiStream'];
        $call = new Call(1, $variables, $scheduler, $this->connection, new MessageMemory($scheduler));
        $scheduler->enqueue($call);
        $scheduler->runReady();
        $send = function () use ($call, $scheduler): bool {
            $call->addInput(Frames::encode('x'), false);
            $call->addCredit(Frame::FIRST_CREDIT);
            $scheduler->runReady();
            return $this->written() !== '';
        };
        for ($i = 0; $i < 7; $i++) {
            self::assertTrue($send());
        }
        // The system may interrupt it for longer than a short time.
        for ($i = 0; $i < 10_000 && $send(); $i++);
        self::assertTrue($this->connection->pending());
        $pause = 250;
        $send();
        $this->connection->flush();
        $this->written();
        self::assertTrue($send());
    }

    private function written(): string
    {
        return (string) stream_get_contents($this->proxy);
    }
}
