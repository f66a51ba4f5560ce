<?php

declare(strict_types=1);

namespace Tests;

use Item\ListItemsResponse;
use PDO;
use PDOStatement;
use PHPUnit\Framework\Attributes\DataProvider;
use RuntimeException;
use Shop\Database;
use Shop\InvalidArgument;
use Shop\Item;
use Shop\ItemService;
use Shop\KeptServices;
use Shop\Messages;
use Shop\NotFound;
use Shop\Price;
use Shop\Schema;

/** Behaviour that is the same on every database. */
abstract class ItemServiceTestCase extends DatabaseTestCase
{
    private const SAMPLE_IDS = [
        '4415fede-7462-4f12-b87f-ede596ec6ee2',
        '5d210689-cca7-4e81-8437-05b20f658ad0',
        '6962f4ff-b752-4103-b90c-1f9bcec30913',
        '6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7',
        'dff79aa1-6b13-4aeb-8dca-22a45322a293',
    ];

    public function test_first_use_creates_the_sample_items(): void
    {
        $item = $this->service()->getItem('6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7');
        self::assertSame('first item', $item->name);
        self::assertSame('first item for sell', $item->description);
        self::assertSame(100, $item->quantity);
        self::assertEquals(new Price('EUR', 12, 500_000_000), $item->price);
        self::assertSame(self::SAMPLE_IDS, $this->listedIds($this->service(), 0));
    }

    public function test_concurrent_first_uses_create_the_sample_items_once(): void
    {
        self::assertSame(array_fill(0, 8, '5'), $this->runAtOnce(__DIR__ . '/open_database.php', array_fill(0, 8, [])));
    }

    public function test_an_existing_table_gets_no_sample_items(): void
    {
        $database = $this->open();
        $database->exec('DELETE FROM item');
        $database->exec("INSERT INTO item (id, name, description) VALUES ('mine', 'my item', '')");
        self::assertSame(['mine'], $this->listedIds($this->service(), 0));
    }

    public function test_a_table_that_was_dropped_after_its_first_use_is_created_again(): void
    {
        foreach (['getItem', 'lookUpItem'] as $method) {
            $service = $this->service();
            $service->$method(self::SAMPLE_IDS[0]);
            $this->open()->exec('DROP TABLE item');
            self::assertSame('second item', $service->$method(self::SAMPLE_IDS[0])->name);
        }
        $this->open()->exec('DROP TABLE item');
        self::assertSame(self::SAMPLE_IDS, $this->listedIds($service, 0));
    }

    public function test_a_failed_creation_leaves_nothing_behind(): void
    {
        $failing = new class ($this->dsn()) extends PDO {
            public function prepare(string $query, array $options = []): PDOStatement|false
            {
                throw new RuntimeException('between the table and its rows');
            }
        };
        try {
            Schema::of($failing)->complete();
            self::fail('the creation did not fail');
        } catch (RuntimeException $error) {
            self::assertSame('between the table and its rows', $error->getMessage());
        }
        self::assertSame(self::SAMPLE_IDS, $this->listedIds($this->service(), 0));
    }

    public function test_kept_services_keep_no_transaction(): void
    {
        $this->open();
        $kept = new KeptServices(fn (): Database => new Database($this->dsn()));
        $services = $kept->get();
        // The same connection.
        $database = Database::open($this->dsn());
        $database->beginTransaction();
        $database->exec('DELETE FROM item');
        $kept->afterCall();
        self::assertFalse($database->inTransaction());
        self::assertSame($services, $kept->get());
        self::assertCount(5, $services->items()->listItems(0, '')->items);
    }

    public function test_pages_follow_each_other(): void
    {
        self::assertSame(self::SAMPLE_IDS, $this->listedIds($this->service(), 2));
        self::assertSame(self::SAMPLE_IDS, $this->listedIds($this->service(), 1));
    }

    public function test_the_last_page_has_no_token(): void
    {
        self::assertSame('', $this->service()->listItems(5, '')->nextPageToken);
        self::assertNotSame('', $this->service()->listItems(4, '')->nextPageToken);
    }

    public function test_page_size_is_50_by_default_and_at_most_1000(): void
    {
        $this->addItems(1100);
        self::assertCount(50, $this->service()->listItems(0, '')->items);
        self::assertCount(1000, $this->service()->listItems(5000, '')->items);
        self::assertCount(1000, $this->service()->listItems(2147483647, '')->items);
        self::assertCount(1105, array_unique($this->listedIds($this->service(), 1000)));
    }

    public function test_a_page_of_long_items_is_shorter(): void
    {
        $this->addItems(1000, str_repeat('x', 4096));
        $service = $this->service();
        $page = array_map(Messages::message(...), $service->listItems(1000, '')->items);
        $response = (new ListItemsResponse(['items' => $page]))->serializeToString();
        self::assertLessThanOrEqual(3 * 1024 * 1024, strlen($response));
        self::assertGreaterThan(2.9 * 1024 * 1024, strlen($response));
        self::assertCount(1005, array_unique($this->listedIds($service, 1000)));
    }

    public function test_a_page_continues_after_an_item_that_was_removed(): void
    {
        $page = $this->service()->listItems(2, '');
        $this->open()->exec("DELETE FROM item WHERE id = '{$page->items[1]->id}'");
        $next = $this->service()->listItems(2, $page->nextPageToken);
        self::assertSame(self::SAMPLE_IDS[2], $next->items[0]->id);
    }

    public function test_a_negative_page_size_is_refused(): void
    {
        $this->expectExceptionObject(new InvalidArgument('page_size', 'must not be negative'));
        $this->service()->listItems(-1, '');
    }

    public function test_an_invalid_page_token_is_refused(): void
    {
        $this->expectExceptionObject(new InvalidArgument('page_token', 'must be the next_page_token of a response'));
        $this->service()->listItems(0, 'bad');
    }

    public function test_an_unknown_id_is_not_found(): void
    {
        $this->expectExceptionObject(new NotFound('nothing'));
        $this->service()->getItem('nothing');
    }

    /** @dataProvider invalidIds */
    #[DataProvider('invalidIds')]
    public function test_an_invalid_id_is_refused(string $id): void
    {
        $this->expectException(InvalidArgument::class);
        $this->service()->getItem($id);
    }

    /** @return array<string, array{string}> */
    public static function invalidIds(): array
    {
        return [
            'empty' => [''],
            'dash' => ['-a'],
            'newline' => ["\na"],
            'not ASCII' => ['é'],
            'not UTF-8' => ["a\xff"],
            'NUL' => ["6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7\0"],
            'too long' => [str_repeat('a', 256)],
        ];
    }

    /** @dataProvider unusualIds */
    #[DataProvider('unusualIds')]
    public function test_an_unusual_id_is_found(string $id): void
    {
        $this->open()->prepare("INSERT INTO item (id, name, description) VALUES (?, 'x', '')")->execute([$id]);
        self::assertSame($id, $this->service()->getItem($id)->id);
        self::assertContains($id, $this->listedIds($this->service(), 1));
    }

    /** @return array<string, array{string}> */
    public static function unusualIds(): array
    {
        return ['quote' => ["a'; --"], 'UTF-8' => ['a☺'], 'number' => ['0'], 'longest' => [str_repeat('z', 255)]];
    }

    private function service(): ItemService
    {
        return $this->services()->items();
    }

    private function addItems(int $count, string $description = ''): void
    {
        $database = $this->open();
        $database->beginTransaction();
        $insert = $database->prepare("INSERT INTO item (id, name, description) VALUES (?, 'x', ?)");
        for ($i = 0; $i < $count; $i++) {
            $insert->execute(["item-$i", $description]);
        }
        $database->commit();
    }

    /** @return list<string> the ids of all pages */
    private function listedIds(ItemService $service, int $pageSize): array
    {
        $ids = [];
        $token = '';
        do {
            $page = $service->listItems($pageSize, $token);
            $ids = [...$ids, ...array_map(static fn (Item $item): string => $item->id, $page->items)];
            $token = $page->nextPageToken;
        } while ($token !== '');
        return $ids;
    }
}
