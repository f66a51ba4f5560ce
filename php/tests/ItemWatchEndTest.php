<?php

declare(strict_types=1);

namespace Tests;

use Grpc\IncomingCall;
use Grpc\RpcServer;
use Grpc\Tests\Call;
use Grpc\Tests\CapturedLog;
use Grpc\Tests\Frames;
use Grpc\Tests\RecordedOutput;
use Item\WatchItemsRequest;
use PDOException;
use PHPUnit\Framework\TestCase;
use Shop\ConnectionLost;
use Shop\ItemEndpoint;
use Shop\ItemFeed;

/** How the database ends a call that watches items. */
final class ItemWatchEndTest extends TestCase
{
    use CapturedLog;

    public function test_a_database_that_stays_unreachable_ends_the_call(): void
    {
        $source = new FailingSource(new ConnectionLost('nobody listens'));
        self::assertSame(['grpc-status: 14', 'grpc-message: database unreachable'], $this->watch($source));
        self::assertSame(2, $source->attempts);
        self::assertStringContainsString('database error: nobody listens', $this->log());
    }

    public function test_another_error_of_the_database_ends_the_call_at_once(): void
    {
        $source = new FailingSource(new PDOException('no permission'));
        self::assertSame(['grpc-status: 13', 'grpc-message: database error'], $this->watch($source));
        self::assertSame(1, $source->attempts);
    }

    public function test_a_watcher_does_not_inherit_what_an_earlier_one_has_waited(): void
    {
        $source = new FailingSource(new ConnectionLost('nobody listens'));
        $feed = self::feed($source);
        $this->watchFeed($feed);
        $this->watchFeed($feed);
        self::assertSame(4, $source->attempts);
    }

    private static function feed(FailingSource $source): ItemFeed
    {
        return new ItemFeed(self::services(...), static fn (): FailingSource => $source, 0.0);
    }

    private static function services(): never
    {
        self::fail('nothing is read');
    }

    /** @return list<string> the trailers */
    private function watch(FailingSource $source): array
    {
        return $this->watchFeed(self::feed($source));
    }

    /** @return list<string> the trailers */
    private function watchFeed(ItemFeed $feed): array
    {
        $server = new RpcServer();
        $server->handle(new ItemEndpoint(self::services(...), $feed));
        $output = new RecordedOutput();
        $variables = ['REQUEST_URI' => '/item.ItemService/WatchItems', 'GRPC_CALL_KIND' => 'bidi_stream'];
        $input = Frames::encode((new WatchItemsRequest())->serializeToString());
        $server->serve(new IncomingCall($variables, Call::stream($input)), $output);
        return $output->trailerLines();
    }
}
