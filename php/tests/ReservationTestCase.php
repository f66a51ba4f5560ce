<?php

declare(strict_types=1);

namespace Tests;

use PDO;
use PHPUnit\Framework\Attributes\DataProvider;
use Shop\InvalidArgument;
use Shop\Item;
use Shop\NotFound;
use Shop\Outdated;
use Shop\OutOfStock;

/** Orders take items from the stock, and put them back. */
abstract class ReservationTestCase extends DatabaseTestCase
{
    private const DAY = 86_400;

    /** @before */
    #[\PHPUnit\Framework\Attributes\Before]
    protected function createItems(): void
    {
        $this->open()->exec('DELETE FROM item');
        foreach (['a' => 10, 'b' => 10, '7' => 10, 'uncounted' => null] as $id => $quantity) {
            $this->services()->items()->createItem(new Item((string) $id, '', '', $quantity));
        }
    }

    public function test_a_reservation_takes_its_pieces(): void
    {
        $this->reserve('order', 1, ['a' => 3, '7' => 10, 'uncounted' => 1000]);
        self::assertSame(['7' => 0, 'a' => 7, 'b' => 10, 'uncounted' => null], $this->stock());
    }

    public function test_a_repeated_reservation_takes_nothing(): void
    {
        $this->reserve('order', 1, ['a' => 3, '7' => 1]);
        $this->reserve('order', 1, ['7' => 1, 'a' => 3]);
        self::assertSame(['7' => 9, 'a' => 7, 'b' => 10, 'uncounted' => null], $this->stock());
    }

    public function test_a_later_revision_takes_and_puts_back_the_difference(): void
    {
        $this->reserve('order', 1, ['a' => 3, 'b' => 10]);
        $this->reserve('order', 5, ['a' => 10, '7' => 1, 'uncounted' => 1]);
        self::assertSame(['7' => 9, 'a' => 0, 'b' => 10, 'uncounted' => null], $this->stock());
        $this->reserve('order', 6, []);
        self::assertSame(['7' => 10, 'a' => 10, 'b' => 10, 'uncounted' => null], $this->stock());
    }

    /**
     * @param array<string, int> $quantities
     * @dataProvider lateReservations
     */
    #[DataProvider('lateReservations')]
    public function test_a_late_reservation_takes_nothing(int $revision, array $quantities, string $reason): void
    {
        $this->reserve('order', 2, ['a' => 3]);
        try {
            $this->reserve('order', $revision, $quantities);
            self::fail('reserved');
        } catch (Outdated $error) {
            self::assertSame("$reason: order/order", $error->getMessage());
        }
        self::assertSame(7, $this->stock()['a']);
        self::assertSame(10, $this->stock()['b']);
    }

    /** @return array<string, array{int, array<string, int>, string}> */
    public static function lateReservations(): array
    {
        return [
            'an earlier revision' => [1, ['b' => 3], 'changed since'],
            'the same revision with others' => [2, ['b' => 3], 'reserved otherwise at this revision'],
            'the same revision with more' => [2, ['a' => 3, 'b' => 1], 'reserved otherwise at this revision'],
        ];
    }

    public function test_a_release_puts_back_all_and_only_once(): void
    {
        $this->reserve('order', 1, ['a' => 3, 'b' => 4, 'uncounted' => 5]);
        for ($i = 0; $i < 2; $i++) {
            $this->services()->reservations()->releaseItems('order');
            self::assertSame(['7' => 10, 'a' => 10, 'b' => 10, 'uncounted' => null], $this->stock());
        }
    }

    public function test_a_released_order_reserves_nothing(): void
    {
        $this->reserve('reserved before', 1, ['a' => 3]);
        foreach (['reserved before', 'unknown before'] as $order) {
            $this->services()->reservations()->releaseItems($order);
            try {
                $this->reserve($order, 2, ['a' => 3]);
                self::fail('reserved');
            } catch (Outdated $error) {
                self::assertSame("released: order/$order", $error->getMessage());
            }
        }
        self::assertSame(10, $this->stock()['a']);
    }

    public function test_too_little_stock_takes_nothing_and_names_the_items(): void
    {
        $this->reserve('order', 1, ['b' => 1]);
        try {
            $this->reserve('order', 2, ['b' => 11, 'uncounted' => 1, 'a' => 11, '7' => 10]);
            self::fail('reserved');
        } catch (OutOfStock $error) {
            self::assertSame('out of stock: item/a, item/b', $error->getMessage());
            self::assertSame(['a', 'b'], $error->ids);
        }
        self::assertSame(['7' => 10, 'a' => 10, 'b' => 9, 'uncounted' => null], $this->stock());
        // A refused order has not been changed.
        $this->reserve('order', 1, ['b' => 1]);
        $this->reserve('order', 2, ['b' => 10]);
        self::assertSame(0, $this->stock()['b']);
    }

    public function test_missing_items_take_nothing_and_are_named(): void
    {
        $missing = array_map(static fn (int $i): string => "missing-$i", range(1, 22));
        try {
            $this->reserve('order', 1, ['a' => 1] + array_fill_keys($missing, 1));
            self::fail('reserved');
        } catch (NotFound $error) {
            self::assertStringStartsWith('not found: item/missing-1, item/missing-2, ', $error->getMessage());
            self::assertStringEndsWith('item/missing-20 and 2 more', $error->getMessage());
        }
        self::assertSame(10, $this->stock()['a']);
    }

    public function test_what_was_not_counted_is_not_put_back(): void
    {
        $this->reserve('order', 1, ['uncounted' => 5]);
        $this->setQuantity('uncounted', 20);
        $this->services()->reservations()->releaseItems('order');
        self::assertSame(20, $this->stock()['uncounted']);
    }

    public function test_items_that_have_gone_or_are_full_do_not_prevent_a_release(): void
    {
        $this->reserve('order', 1, ['a' => 5, 'b' => 5]);
        $this->open()->exec("DELETE FROM item WHERE id = 'a'");
        $this->setQuantity('b', 2_147_483_647);
        $this->services()->reservations()->releaseItems('order');
        self::assertSame(['7' => 10, 'b' => 2_147_483_647, 'uncounted' => null], $this->stock());
    }

    public function test_an_order_keeps_and_gives_up_pieces_of_an_item_that_is_counted_only_since_then(): void
    {
        $this->reserve('order', 1, ['a' => 3, 'uncounted' => 5]);
        $this->setQuantity('uncounted', 0);
        foreach ([['a' => 3, 'b' => 1, 'uncounted' => 5], ['b' => 1, 'uncounted' => 2], ['a' => 1]] as $i => $quantities) {
            $this->reserve('order', 2 + $i, $quantities);
            $this->reserve('order', 2 + $i, $quantities);
            self::assertSame(
                ['7' => 10, 'a' => 10 - ($quantities['a'] ?? 0), 'b' => 10 - ($quantities['b'] ?? 0), 'uncounted' => 0],
                $this->stock(),
            );
        }
    }

    public function test_only_what_is_needed_beyond_the_pieces_that_were_not_counted_is_taken(): void
    {
        $this->reserve('order', 1, ['uncounted' => 5]);
        $this->setQuantity('uncounted', 4);
        $this->reserve('order', 2, ['uncounted' => 8]);
        self::assertSame(1, $this->stock()['uncounted']);
        try {
            $this->reserve('order', 3, ['uncounted' => 10]);
            self::fail('reserved');
        } catch (OutOfStock $error) {
            self::assertSame(['uncounted'], $error->ids);
        }
        // As an update is undone.
        $this->reserve('order', 4, ['uncounted' => 5]);
        self::assertSame(4, $this->stock()['uncounted']);
        $this->reserve('order', 5, ['uncounted' => 9]);
        self::assertSame(0, $this->stock()['uncounted']);
        $this->services()->reservations()->releaseItems('order');
        self::assertSame(4, $this->stock()['uncounted']);
    }

    public function test_what_was_taken_is_put_back_even_if_its_item_was_not_counted_meanwhile(): void
    {
        $this->reserve('order', 1, ['a' => 3]);
        $this->setQuantity('a', null);
        $this->reserve('order', 2, ['a' => 5]);
        $this->reserve('order', 3, ['a' => 3]);
        $this->setQuantity('a', 7);
        $this->services()->reservations()->releaseItems('order');
        self::assertSame(10, $this->stock()['a']);
    }

    public function test_an_order_keeps_and_gives_up_pieces_of_an_item_that_has_been_deleted(): void
    {
        $this->reserve('order', 1, ['7' => 4, 'a' => 3, 'b' => 2]);
        $this->open()->exec("DELETE FROM item WHERE id IN ('7', 'a')");
        foreach ([['a' => 3, 'b' => 5, '7' => 4], ['7' => 4, 'a' => 1]] as $i => $quantities) {
            $this->reserve('order', 2 + $i, $quantities);
            $this->reserve('order', 2 + $i, $quantities);
            self::assertSame(['b' => 10 - ($quantities['b'] ?? 0), 'uncounted' => null], $this->stock());
        }
        try {
            $this->reserve('order', 4, ['a' => 2, 'b' => 1, '7' => 5]);
            self::fail('reserved');
        } catch (NotFound $error) {
            self::assertSame('not found: item/a, item/7', $error->getMessage());
        }
        $this->reserve('order', 4, ['a' => 1]);
        $this->services()->reservations()->releaseItems('order');
        self::assertSame(['b' => 10, 'uncounted' => null], $this->stock());
    }

    public function test_a_release_forgets_what_was_released_a_day_ago(): void
    {
        foreach (['long ago', 'just now'] as $order) {
            $this->services()->reservations()->releaseItems($order);
        }
        $this->reserve('kept', 1, ['a' => 1]);
        $this->open()->exec('UPDATE reservation SET released_at = ' . (time() - self::DAY - 1) . " WHERE order_id = 'long ago'");
        $this->services()->reservations()->releaseItems('last');
        $orders = $this->open()->query('SELECT order_id FROM reservation ORDER BY order_id')->fetchAll(PDO::FETCH_COLUMN);
        self::assertSame(['just now', 'kept', 'last'], $orders);
    }

    /** Eight processes that each place 5 orders of an item, beside others of it, in different orders of the lines. */
    public function test_concurrent_orders_sell_what_is_there(): void
    {
        $buyers = array_map(static fn (int $i): array => ['BUYER' => (string) $i], range(1, 8));
        $sold = $this->runAtOnce(__DIR__ . '/buy.php', $buyers);
        self::assertSame(10, array_sum($sold));
        self::assertSame(['7' => 0, 'a' => 0, 'b' => 10, 'uncounted' => null], $this->stock());
        $lines = $this->open()->query("SELECT sum(taken) FROM reserved_item WHERE item_id = 'a'");
        self::assertSame(10, (int) $lines->fetchColumn());
    }

    /**
     * @param list<array{string, int}> $lines
     * @dataProvider invalidReservations
     */
    #[DataProvider('invalidReservations')]
    public function test_an_invalid_reservation_is_refused(string $field, string $order, int $revision, array $lines): void
    {
        try {
            $this->services()->reservations()->reserveItems($order, $revision, $lines);
            self::fail('reserved');
        } catch (InvalidArgument $error) {
            self::assertSame($field, $error->field);
        }
    }

    /** @return array<string, array{string, string, int, list<array{string, int}>}> */
    public static function invalidReservations(): array
    {
        return [
            'order' => ['order_id', '', 1, []],
            'long order' => ['order_id', str_repeat('a', 129), 1, []],
            'revision' => ['revision', 'order', 0, []],
            'item' => ['items[1].id', 'order', 1, [['a', 1], ['', 1]]],
            'repeated item' => ['items[2].id', 'order', 1, [['a', 1], ['b', 1], ['a', 1]]],
            'quantity' => ['items[0].quantity', 'order', 1, [['a', 0]]],
            'too many items' => ['items', 'order', 1, array_fill(0, 2001, ['a', 1])],
        ];
    }

    public function test_an_invalid_release_is_refused(): void
    {
        $this->expectExceptionObject(new InvalidArgument('order_id', 'must begin with a letter or a digit'));
        $this->services()->reservations()->releaseItems('');
    }

    /** @param array<string, int> $quantities */
    private function reserve(string $order, int $revision, array $quantities): void
    {
        $lines = [];
        foreach ($quantities as $id => $quantity) {
            $lines[] = [(string) $id, $quantity];
        }
        $this->services()->reservations()->reserveItems($order, $revision, $lines);
    }

    private function setQuantity(string $id, ?int $quantity): void
    {
        $this->services()->items()->updateItem(new Item($id, '', '', $quantity), ['quantity']);
    }

    /** @return array<string, int|null> */
    private function stock(): array
    {
        return array_column($this->services()->items()->listItems(0, '')->items, 'quantity', 'id');
    }
}
