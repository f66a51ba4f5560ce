<?php

declare(strict_types=1);

namespace Tests;

use PHPUnit\Framework\TestCase;
use Shop\ChangeLog;

final class ChangeLogTest extends TestCase
{
    public function test_each_item_is_there_once_as_it_was_at_its_last_change(): void
    {
        $log = new ChangeLog();
        foreach (['a' => 'a1', 'b' => 'b1', '7' => '71'] as $id => $item) {
            $log->add((string) $id, $item);
        }
        $log->add('a', 'a2');
        self::assertSame(['b' => [2, 'b1'], '7' => [3, '71'], 'a' => [4, 'a2']], $log->since(0));
        self::assertSame(['7' => [3, '71'], 'a' => [4, 'a2']], $log->since(2));
        self::assertSame(['a' => [4, 'a2']], $log->since(3));
        self::assertSame([], $log->since($log->last()));
        self::assertFalse($log->hasForgotten(0));
    }

    public function test_the_oldest_changes_are_forgotten(): void
    {
        $log = new ChangeLog();
        for ($i = 1; $i <= 1002; $i++) {
            $log->add("$i", '');
        }
        self::assertTrue($log->hasForgotten(1));
        self::assertFalse($log->hasForgotten(2));
        self::assertCount(1000, $log->since(2));
        $log->add('1002', '');
        self::assertFalse($log->hasForgotten(2));
    }

    public function test_all_changes_can_be_forgotten(): void
    {
        $log = new ChangeLog();
        $log->add('a', '');
        $seen = $log->last();
        $log->forget();
        self::assertTrue($log->hasForgotten($seen));
        self::assertFalse($log->hasForgotten($log->last()));
        self::assertSame([], $log->since($seen));
    }
}
