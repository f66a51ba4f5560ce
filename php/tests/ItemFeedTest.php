<?php

declare(strict_types=1);

namespace Tests;

use PHPUnit\Framework\TestCase;
use RuntimeException;
use Shop\Database;
use Shop\ItemFeed;
use Shop\Services;
use Shop\Watch;

final class ItemFeedTest extends TestCase
{
    public function test_a_change_that_could_not_be_read_is_read_later(): void
    {
        $services = new Services(Database::open('sqlite::memory:'));
        $fails = false;
        $feed = new ItemFeed(
            static function () use ($services, &$fails): Services {
                return $fails ? throw new RuntimeException('of the application') : $services;
            },
            static fn (): ChangingSource => new ChangingSource(['6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7']),
        );
        $watch = new Watch([]);
        $feed->join();
        $feed->await($watch, null);
        self::assertCount(5, $feed->take($watch));
        self::assertSame([], $feed->take($watch));
        $fails = true;
        try {
            $feed->await($watch, null);
            self::fail('the change was read');
        } catch (RuntimeException $error) {
            self::assertSame('of the application', $error->getMessage());
        }
        $fails = false;
        self::assertCount(5, $feed->take($watch));
    }
}
