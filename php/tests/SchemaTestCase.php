<?php

declare(strict_types=1);

namespace Tests;

use PDO;
use Shop\ChangeSource;
use Shop\Database;
use Shop\Item;

/** A database of the first version, which had no stock, in use by this version. */
abstract class SchemaTestCase extends DatabaseTestCase
{
    /** @before */
    #[\PHPUnit\Framework\Attributes\Before]
    protected function createFirstVersion(): void
    {
        $collation = str_starts_with($this->dsn(), 'sqlite:') ? 'BINARY' : '"C"';
        $database = new PDO($this->dsn());
        $database->exec(
            "CREATE TABLE item (
                id TEXT COLLATE $collation NOT NULL PRIMARY KEY,
                name TEXT NOT NULL,
                description TEXT NOT NULL
            )",
        );
        $database->exec("INSERT INTO item (id, name, description) VALUES ('old', 'old item', 'from before')");
    }

    public function test_old_items_are_kept_and_not_counted(): void
    {
        $old = new Item('old', 'old item', 'from before');
        self::assertEquals($old, $this->services()->items()->getItem('old'));
        self::assertEquals([$old], $this->services()->items()->listItems(0, '')->items);
    }

    public function test_a_write_completes_the_schema_too(): void
    {
        $changed = $this->services()->items()->updateItem(new Item('old', '', '', 7), ['quantity']);
        self::assertEquals(new Item('old', 'old item', 'from before', 7), $changed);
    }

    public function test_a_reservation_completes_the_schema_too(): void
    {
        $this->services()->reservations()->reserveItems('order', 1, [['old', 3]]);
        self::assertNull($this->services()->items()->getItem('old')->quantity);
    }

    public function test_the_queries_of_the_first_version_go_on(): void
    {
        $before = Database::open($this->dsn());
        $query = $before->prepare('SELECT id, name, description FROM item WHERE id = ?');
        $query->execute(['old']);
        $row = $query->fetchAll();
        $this->open();
        $query->execute(['old']);
        self::assertSame([['id' => 'old', 'name' => 'old item', 'description' => 'from before']], $row);
        self::assertSame($row, $query->fetchAll());
    }

    public function test_changes_become_known(): void
    {
        $this->assertChangesBecomeKnown();
    }

    public function test_changes_of_a_table_that_lacks_only_the_triggers_become_known(): void
    {
        foreach (['quantity INTEGER', 'price_currency TEXT', 'price_units BIGINT', 'price_nanos INTEGER'] as $column) {
            Database::open($this->dsn())->exec("ALTER TABLE item ADD COLUMN $column");
        }
        $this->assertChangesBecomeKnown();
    }

    public function test_concurrent_uses_complete_the_schema_once(): void
    {
        self::assertSame(array_fill(0, 8, '1'), $this->runAtOnce(__DIR__ . '/open_database.php', array_fill(0, 8, [])));
    }

    public function test_a_complete_schema_stays_as_it_is(): void
    {
        $this->open();
        $this->services()->items()->updateItem(new Item('old', '', '', 7), ['quantity']);
        $this->open();
        self::assertSame(7, $this->services()->items()->getItem('old')->quantity);
    }

    private function assertChangesBecomeKnown(): void
    {
        $source = $this->changes();
        Database::open($this->dsn())->exec('UPDATE item SET quantity = 7');
        self::assertSame(['old'], self::next($source));
        $source->close();
    }

    /** An open source of the changes in the database. */
    protected function changes(): ChangeSource
    {
        $connection = Database::open($this->dsn());
        $source = (new Database($this->dsn()))->changes(static fn (): PDO => $connection);
        $source->open();
        return $source;
    }

    /** @return list<string> the ids that have changed next */
    protected static function next(ChangeSource $source): array
    {
        for ($i = 0; $i < 30; $i++) {
            $ids = $source->await(null);
            if ($ids !== []) {
                return $ids;
            }
        }
        self::fail('nothing has changed');
    }
}
