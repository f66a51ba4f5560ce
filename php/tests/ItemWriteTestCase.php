<?php

declare(strict_types=1);

namespace Tests;

use PHPUnit\Framework\Attributes\DataProvider;
use Shop\AlreadyExists;
use Shop\InvalidArgument;
use Shop\Item;
use Shop\NotFound;
use Shop\Price;

/** Creates and updates items. */
abstract class ItemWriteTestCase extends DatabaseTestCase
{
    public function test_a_created_item_can_be_read(): void
    {
        $item = new Item('new', 'a name ☺', 'a description', 5, new Price('JPY', PHP_INT_MAX, 999_999_999));
        self::assertEquals($item, $this->services()->items()->createItem($item));
        self::assertEquals($item, $this->services()->items()->getItem('new'));
    }

    public function test_an_item_may_have_neither_quantity_nor_price(): void
    {
        $this->services()->items()->createItem(new Item('new', '', ''));
        self::assertEquals(new Item('new', '', ''), $this->services()->items()->getItem('new'));
    }

    public function test_an_item_without_an_id_gets_a_new_one(): void
    {
        $created = $this->services()->items()->createItem(new Item('', 'a name', '', 0));
        self::assertMatchesRegularExpression('/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/', $created->id);
        self::assertEquals($created, $this->services()->items()->getItem($created->id));
        self::assertNotSame($created->id, $this->services()->items()->createItem(new Item('', '', ''))->id);
    }

    public function test_an_id_is_taken_once(): void
    {
        $this->services()->items()->createItem(new Item('new', 'first', ''));
        try {
            $this->services()->items()->createItem(new Item('new', 'second', ''));
            self::fail('created twice');
        } catch (AlreadyExists $error) {
            self::assertSame('already exists: item/new', $error->getMessage());
        }
        self::assertSame('first', $this->services()->items()->getItem('new')->name);
    }

    /**
     * @param list<string> $paths
     * @dataProvider updates
     */
    #[DataProvider('updates')]
    public function test_an_update_changes_the_fields_of_its_mask(Item $changes, array $paths, Item $expected): void
    {
        $this->services()->items()->createItem(new Item('new', 'name', 'description', 5, new Price('EUR', 1, 2)));
        self::assertEquals($expected, $this->services()->items()->updateItem($changes, $paths));
        self::assertEquals($expected, $this->services()->items()->getItem('new'));
    }

    /** @return array<string, array{Item, list<string>, Item}> */
    public static function updates(): array
    {
        $price = new Price('EUR', 1, 2);
        $other = new Price('USD', 3, 0);
        $changes = new Item('new', 'other', 'text', 6, $other);
        $empty = new Item('new', '', '');
        return [
            'name' => [$changes, ['name'], new Item('new', 'other', 'description', 5, $price)],
            'description' => [$changes, ['description'], new Item('new', 'name', 'text', 5, $price)],
            'quantity' => [$changes, ['quantity'], new Item('new', 'name', 'description', 6, $price)],
            'price' => [$changes, ['price'], new Item('new', 'name', 'description', 5, $other)],
            'two' => [$changes, ['price', 'name', 'name'], new Item('new', 'other', 'description', 5, $other)],
            'all' => [$changes, ['*'], $changes],
            'all that are set' => [$changes, [], $changes],
            'the one that is set' => [new Item('new', '', '', 0), [], new Item('new', 'name', 'description', 0, $price)],
            'none that is set' => [$empty, [], new Item('new', 'name', 'description', 5, $price)],
            'empties a text' => [$empty, ['name'], new Item('new', '', 'description', 5, $price)],
            'ends the count' => [$empty, ['quantity'], new Item('new', 'name', 'description', null, $price)],
            'removes the price' => [$empty, ['price'], new Item('new', 'name', 'description', 5)],
            'empties all' => [$empty, ['*'], $empty],
        ];
    }

    public function test_an_unknown_item_is_not_changed(): void
    {
        foreach ([['name'], []] as $paths) {
            try {
                $this->services()->items()->updateItem(new Item('unknown', '', ''), $paths);
                self::fail('changed nothing');
            } catch (NotFound $error) {
                self::assertSame('not found: item/unknown', $error->getMessage());
            }
        }
    }

    /** @dataProvider unknownPaths */
    #[DataProvider('unknownPaths')]
    public function test_an_unknown_path_is_refused(string $path): void
    {
        $this->expectExceptionObject(
            new InvalidArgument('update_mask', 'must contain only name, description, quantity, price, or *'),
        );
        $this->services()->items()->updateItem(new Item('new', 'a', ''), ['name', $path]);
    }

    /** @return array<string, array{string}> */
    public static function unknownPaths(): array
    {
        return ['id' => ['id'], 'empty' => [''], 'a part' => ['price.units'], 'SQL' => ['name = 1 --']];
    }

    /** @dataProvider invalidItems */
    #[DataProvider('invalidItems')]
    public function test_an_invalid_field_is_refused(string $field, Item $item): void
    {
        foreach (['createItem' => [], 'updateItem' => [['name']]] as $method => $arguments) {
            try {
                $this->services()->items()->$method($item, ...$arguments);
                self::fail("$method did not refuse it");
            } catch (InvalidArgument $error) {
                self::assertSame($field, $error->field);
            }
        }
    }

    /** @return array<string, array{string, Item}> */
    public static function invalidItems(): array
    {
        $priced = static fn (string $currency, int $units, int $nanos): Item =>
            new Item('new', '', '', null, new Price($currency, $units, $nanos));
        return [
            'id' => ['item.id', new Item('-', '', '')],
            'long name' => ['item.name', new Item('new', str_repeat('é', 128) . 'a', '')],
            'name with NUL' => ['item.name', new Item('new', "a\0", '')],
            'name that is not UTF-8' => ['item.name', new Item('new', "a\xff", '')],
            'long description' => ['item.description', new Item('new', '', str_repeat('a', 4097))],
            'description with NUL' => ['item.description', new Item('new', '', "\0")],
            'negative quantity' => ['item.quantity', new Item('new', '', '', -1)],
            'no currency' => ['item.price.currency_code', $priced('', 1, 0)],
            'currency in lower case' => ['item.price.currency_code', $priced('eur', 1, 0)],
            'currency with a newline' => ['item.price.currency_code', $priced("EUR\n", 1, 0)],
            'negative units' => ['item.price.units', $priced('EUR', -1, 0)],
            'negative nanos' => ['item.price.nanos', $priced('EUR', 0, -1)],
            'a whole unit of nanos' => ['item.price.nanos', $priced('EUR', 0, 1_000_000_000)],
        ];
    }

    public function test_the_id_of_a_new_item_is_shorter_than_that_of_an_old_one(): void
    {
        $this->services()->items()->createItem(new Item(str_repeat('a', 128), str_repeat('a', 256), str_repeat('a', 4096)));
        $this->expectExceptionObject(new InvalidArgument('item.id', 'must not be longer than 128 bytes'));
        $this->services()->items()->createItem(new Item(str_repeat('a', 129), '', ''));
    }
}
