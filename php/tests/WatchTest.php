<?php

declare(strict_types=1);

namespace Tests;

use Item\Item as ItemMessage;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Shop\ChangeLog;
use Shop\Database;
use Shop\Item;
use Shop\ItemStore;
use Shop\Watch;

final class WatchTest extends TestCase
{
    private const ITEMS = 40;
    private const DESCRIPTION_BYTES = 4096;

    /** How much a watcher may be given at once, with a last item that exceeds it. */
    private const MOST_BYTES = 65_536 + 2 * self::DESCRIPTION_BYTES;

    /**
     * @param list<string> $ids
     * @dataProvider watchedIds
     */
    #[DataProvider('watchedIds')]
    public function test_long_items_are_given_a_few_at_once(array $ids): void
    {
        $store = new ItemStore(Database::open('sqlite::memory:'));
        foreach (self::ids() as $id) {
            $store->create(new Item($id, '', str_repeat('x', self::DESCRIPTION_BYTES)));
        }
        $expected = $ids ?: array_map(static fn (Item $item): string => $item->id, $store->after('', 100));
        self::assertSame($expected, self::takeAll(new Watch($ids), new ChangeLog(), $store));
    }

    /**
     * @param list<string> $ids
     * @dataProvider watchedIds
     */
    #[DataProvider('watchedIds')]
    public function test_long_changes_are_given_a_few_at_once(array $ids): void
    {
        $store = new ItemStore(Database::open('sqlite::memory:'));
        $log = new ChangeLog();
        $watch = new Watch($ids);
        self::takeAll($watch, $log, $store);
        foreach (self::ids() as $id) {
            $item = new ItemMessage(['id' => $id, 'description' => str_repeat('x', self::DESCRIPTION_BYTES)]);
            $log->add($id, $item->serializeToString());
        }
        self::assertSame($ids ?: self::ids(), self::takeAll($watch, $log, $store));
    }

    /** @return array<string, array{list<string>}> */
    public static function watchedIds(): array
    {
        return ['all' => [[]], 'some' => [array_slice(self::ids(), 3, 30)]];
    }

    /** @return list<string> */
    private static function ids(): array
    {
        return array_map(static fn (int $i): string => "long-$i", range(1001, 1000 + self::ITEMS));
    }

    /** @return list<string> the ids of the items that the watch is given, in the order of their arrival */
    private static function takeAll(Watch $watch, ChangeLog $log, ItemStore $store): array
    {
        $ids = [];
        while ($watch->isDue($log)) {
            $items = $watch->take($log, $store);
            self::assertLessThan(self::MOST_BYTES, strlen(implode($items)));
            foreach ($items as $bytes) {
                $item = new ItemMessage();
                $item->mergeFromString($bytes);
                $ids[] = $item->getId();
            }
        }
        return $ids;
    }
}
