<?php

declare(strict_types=1);

namespace Tests;

use Grpc\FrameFlags;
use Grpc\Resident\Frame;
use Grpc\Tests\FastCgiCall;
use Grpc\Tests\Frames;
use Grpc\Tests\PhpFpm;
use Grpc\Tests\ResidentProxy;
use Item\GetItemRequest;
use Item\Item as ItemMessage;
use Item\WatchItemsRequest;
use PHPUnit\Framework\Attributes\DataProvider;
use Shop\Item;

/** Calls of resident workers that watch items. */
abstract class ItemWatchTestCase extends DatabaseTestCase
{
    private const JOIN_SECONDS = 0.2;
    private const METHOD = '/item.ItemService/WatchItems';

    private PhpFpm $phpFpm;
    private ?ResidentProxy $proxy = null;

    /** @before */
    #[\PHPUnit\Framework\Attributes\Before]
    protected function createItems(): void
    {
        $this->open()->exec('DELETE FROM item');
        foreach (['a', 'b', '7'] as $id) {
            $this->services()->items()->createItem(new Item($id, '', '', 0));
        }
        $this->phpFpm = new PhpFpm(['ITEM_DSN' => $this->dsn()]);
    }

    /** @after */
    #[\PHPUnit\Framework\Attributes\After]
    protected function stopPhpFpm(): void
    {
        if ($this->proxy !== null && !$this->proxy->closed) {
            $this->proxy->close();
            $this->proxy->request->rest();
        }
        $this->phpFpm->stop();
    }

    public function test_a_watcher_gets_the_items_as_they_are_and_each_change(): void
    {
        $watch = $this->watch();
        $this->awaitItems($watch, ['7 0', 'a 0', 'b 0']);
        $this->setQuantity('a', 1);
        $this->awaitItems($watch, ['7 0', 'a 0', 'b 0', 'a 1']);
        $this->services()->items()->createItem(new Item('new', '', '', 5));
        $this->awaitItems($watch, ['7 0', 'a 0', 'b 0', 'a 1', 'new 5']);
    }

    public function test_a_change_by_any_statement_is_noticed(): void
    {
        $watch = $this->watch('a');
        $this->awaitItems($watch, ['a 0']);
        $this->open()->exec('UPDATE item SET quantity = 7');
        $this->awaitItems($watch, ['a 0', 'a 7']);
        $this->services()->reservations()->reserveItems('order', 1, [['a', 3]]);
        $this->awaitItems($watch, ['a 0', 'a 7', 'a 4']);
    }

    public function test_only_the_items_asked_for_are_sent_and_a_missing_one_when_it_exists(): void
    {
        $watch = $this->watch('new', 'b', '7');
        $this->awaitItems($watch, ['7 0', 'b 0']);
        $this->setQuantity('a', 1);
        $this->services()->items()->createItem(new Item('new', '', '', 5));
        $this->awaitItems($watch, ['7 0', 'b 0', 'new 5']);
        $this->setQuantity('7', 1);
        $this->awaitItems($watch, ['7 0', 'b 0', 'new 5', '7 1']);
    }

    public function test_a_request_replaces_what_is_watched_and_the_end_of_the_requests_changes_nothing(): void
    {
        $watch = $this->watch('a');
        $this->awaitItems($watch, ['a 0']);
        $this->proxy->send(Frame::DATA, $watch, self::request('b'));
        $this->awaitItems($watch, ['a 0', 'b 0']);
        $this->proxy->send(Frame::END, $watch);
        $this->setQuantity('a', 1);
        $this->setQuantity('b', 1);
        $this->awaitItems($watch, ['a 0', 'b 0', 'b 1']);
    }

    public function test_a_call_without_a_request_watches_nothing(): void
    {
        $this->watch();
        $call = $this->proxy->call(self::METHOD, ResidentProxy::BIDI_STREAM);
        self::assertSame([FrameFlags::TRAILERS, "grpc-status: 0\r\n"], Frames::decode($this->proxy->answer($call)[1])[0]);
    }

    /**
     * @param list<string> $ids
     * @dataProvider invalidIds
     */
    #[DataProvider('invalidIds')]
    public function test_invalid_ids_end_the_call(array $ids, string $message): void
    {
        $frames = Frames::decode($this->answerTo($this->watch(...$ids)));
        self::assertStringStartsWith("grpc-status: 3\r\ngrpc-message: $message\r\n", $frames[0][1]);
        $watch = $this->watch('a');
        $this->awaitItems($watch, ['a 0']);
        $this->proxy->send(Frame::DATA, $watch, self::request(...$ids));
        $frames = Frames::decode($this->answerTo($watch));
        self::assertStringStartsWith("grpc-status: 3\r\n", end($frames)[1]);
    }

    /** @return array<string, array{list<string>, string}> */
    public static function invalidIds(): array
    {
        return [
            'an invalid one' => [['a', '-'], 'invalid ids[1]: must begin with a letter or a digit'],
            'too many' => [array_fill(0, 1001, 'a'), 'invalid ids: must not be more than 1000'],
        ];
    }

    public function test_all_items_are_sent_however_many_there_are(): void
    {
        $database = $this->open();
        $database->beginTransaction();
        for ($i = 0; $i < 1200; $i++) {
            $database->exec("INSERT INTO item (id, name, description, quantity) VALUES ('i$i', '', '', 1)");
        }
        $database->commit();
        $all = $this->watch();
        $some = $this->watch(...array_map(static fn (int $i): string => "i$i", range(0, 999)));
        $this->awaitCount($all, 1203);
        $this->awaitCount($some, 1000);
        self::assertCount(1203, array_unique(self::items($this->proxy->frames($all))));
        self::assertCount(1000, array_unique(self::items($this->proxy->frames($some))));
        // More at once than a worker keeps in its memory: the items are read anew.
        $this->open()->exec('UPDATE item SET quantity = 2');
        $this->awaitItem($all, 'i1199 2');
        $this->awaitItem($some, 'i999 2');
        $this->awaitCount($all, 2406);
        self::assertCount(1203, preg_grep('/ 2$/', array_unique(self::items($this->proxy->frames($all)))));
    }

    public function test_changes_that_follow_each_other_quickly_are_joined(): void
    {
        $watch = $this->watch('a');
        $this->awaitItems($watch, ['a 0']);
        $began = microtime(true);
        for ($i = 1; $i <= 100; $i++) {
            $this->setQuantity('a', $i);
        }
        $this->awaitItem($watch, 'a 100');
        $most = (int) ((microtime(true) - $began) / self::JOIN_SECONDS) + 3;
        self::assertLessThanOrEqual($most, count($this->proxy->frames($watch)));
    }

    public function test_many_watchers_share_a_worker_with_other_calls(): void
    {
        $watches = array_map(fn (): int => $this->watch('a', 'b'), range(1, 300));
        foreach ($watches as $watch) {
            $this->awaitItems($watch, ['a 0', 'b 0']);
        }
        $this->setQuantity('a', 1);
        foreach ($watches as $watch) {
            $this->awaitItems($watch, ['a 0', 'b 0', 'a 1']);
        }
        $get = $this->proxy->call('/item.ItemService/GetItem', ResidentProxy::UNARY, self::getRequest('a'));
        self::assertSame(['grpc-status: 0'], $this->proxy->answer($get)[0]);
        // Whoever waits for the database is among those that go.
        foreach (array_slice($watches, 0, 299) as $watch) {
            $this->cancel($watch);
        }
        $this->setQuantity('b', 1);
        $this->awaitItems($watches[299], ['a 0', 'b 0', 'a 1', 'b 1']);
    }

    public function test_a_watcher_that_does_not_read_delays_no_other_and_gets_the_last_state(): void
    {
        // More than the worker may send without credit.
        for ($i = 0; $i < 30; $i++) {
            $this->services()->items()->createItem(new Item("long$i", '', str_repeat('x', 4096), 0));
        }
        $slow = $this->watch();
        $this->proxy->returnsCredit = false;
        $this->awaitCount($slow, 10);
        $quick = $this->watch('a');
        $this->awaitItems($quick, ['a 0']);
        foreach ([1, 2, 3] as $quantity) {
            $this->setQuantity('a', $quantity);
            $this->setQuantity('long29', $quantity);
            $this->awaitItem($quick, "a $quantity");
        }
        self::assertLessThan(33, count($this->proxy->frames($slow)));
        $this->proxy->returnsCredit = true;
        $this->proxy->send(Frame::CREDIT, $slow, pack('N', 1 << 20));
        $this->awaitItem($slow, 'long29 3');
        $this->awaitItem($slow, 'a 3');
        self::assertNotContains('a 2', self::items($this->proxy->frames($slow)));
    }

    public function test_watchers_that_have_sent_a_part_of_a_request_delay_no_other(): void
    {
        $watches = [];
        for ($i = 0; $i < 3; $i++) {
            // One by one, so that the first one waits for the database.
            $watches[] = $this->watch('a');
            $this->awaitItems($watches[$i], ['a 0']);
        }
        $part = substr(self::request('b'), 0, 5);
        // At once: the one that waits for the database, and the next in turn.
        $this->proxy->raw(implode(array_map(
            static fn (int $watch): string => ResidentProxy::frame(Frame::DATA, $watch, $part),
            array_slice($watches, 0, 2),
        )));
        $watches[] = $this->watch('a');
        $this->awaitItems($watches[3], ['a 0']);
        $this->setQuantity('a', 1);
        $this->awaitItems($watches[2], ['a 0', 'a 1']);
        $this->awaitItems($watches[3], ['a 0', 'a 1']);
    }

    public function test_no_watcher_holds_up_a_reload(): void
    {
        $watches = [$this->watch('a'), $this->watch('b')];
        $this->awaitItems($watches[0], ['a 0']);
        $this->awaitItems($watches[1], ['b 0']);
        $watches[] = $this->proxy->call(self::METHOD, ResidentProxy::BIDI_STREAM, '', false);
        $this->phpFpm->reload();
        $this->proxy->until(fn (): bool => $this->proxy->wantsToRetire);
        $this->proxy->send(Frame::RETIRE, 0);
        foreach ($watches as $watch) {
            self::assertStringContainsString("grpc-status: 14\r\n", $this->answerTo($watch));
        }
        $this->proxy->awaitEnd();
    }

    public function test_a_call_by_itself_watches_too_until_its_client_is_gone(): void
    {
        $watch = $this->watchByItself();
        self::assertSame('a 0', self::nextItem($watch));
        $this->setQuantity('b', 1);
        $this->setQuantity('a', 1);
        self::assertSame('a 1', self::nextItem($watch));
        $watch->close();
        // php-fpm has two workers: both are there again.
        $watches = [$this->watchByItself(), $this->watchByItself()];
        foreach ($watches as $watch) {
            self::assertSame('a 1', self::nextItem($watch));
        }
    }

    private function watchByItself(): FastCgiCall
    {
        $call = $this->phpFpm->call(dirname(__DIR__) . '/item/index.php', self::METHOD, 'bidi_stream');
        $call->send(self::request('a'));
        $call->fields();
        return $call;
    }

    private static function nextItem(FastCgiCall $call): string
    {
        do {
            // Frames without content find out whether the client is gone.
            $frame = $call->frame();
        } while ($frame[0] === FrameFlags::NOOP);
        return self::items([$frame])[0];
    }

    private function answerTo(int $call): string
    {
        return $this->proxy->answer($call)[1];
    }

    protected function watch(string ...$ids): int
    {
        $this->proxy ??= new ResidentProxy($this->phpFpm, dirname(__DIR__) . '/item/index.php');
        return $this->proxy->call(self::METHOD, ResidentProxy::BIDI_STREAM, self::request(...$ids), false);
    }

    protected function cancel(int $watch): void
    {
        $this->proxy->send(Frame::CANCEL, $watch);
        $this->proxy->until(fn (): bool => in_array($watch, $this->proxy->ended, true));
    }

    private static function request(string ...$ids): string
    {
        return Frames::encode((new WatchItemsRequest(['ids' => $ids]))->serializeToString());
    }

    protected function setQuantity(string $id, int $quantity): void
    {
        $this->services()->items()->updateItem(new Item($id, '', '', $quantity), ['quantity']);
    }

    private static function getRequest(string $id): string
    {
        return (new GetItemRequest(['id' => $id]))->serializeToString();
    }

    protected function awaitItem(int $watch, string $item): void
    {
        $this->proxy->until(fn (): bool => in_array($item, self::items($this->proxy->frames($watch)), true));
    }

    private function awaitCount(int $watch, int $count): void
    {
        $this->proxy->until(fn (): bool => count($this->proxy->frames($watch)) >= $count);
    }

    /** @param list<string> $expected the id and the quantity of each */
    protected function awaitItems(int $watch, array $expected): void
    {
        $items = [];
        $this->proxy->until(function () use ($watch, $expected, &$items): bool {
            $items = self::items($this->proxy->frames($watch));
            return count($items) >= count($expected);
        });
        self::assertSame($expected, $items);
    }

    /**
     * @param list<array{int, string}> $frames
     * @return list<string> the id and the quantity of each item
     */
    private static function items(array $frames): array
    {
        $items = [];
        foreach ($frames as [$flags, $content]) {
            if ($flags === 0) {
                $item = new ItemMessage();
                $item->mergeFromString($content);
                $items[] = "{$item->getId()} {$item->getQuantity()}";
            }
        }
        return $items;
    }
}
