<?php

declare(strict_types=1);

namespace Tests;

use Closure;
use PDO;
use Shop\Database;
use Shop\ItemStore;
use Shop\KeptServices;

final class SqliteItemServiceTest extends ItemServiceTestCase
{
    use SqliteFile;

    public function test_a_read_only_database_can_be_read(): void
    {
        (new ItemStore(Database::open($this->dsn())))->ping();
        chmod("{$this->folder()}/item.sqlite", 0o444);
        $items = (new ItemStore(Database::open($this->dsn())))->after('', 10);
        self::assertCount(5, $items);
    }

    public function test_a_replaced_database_is_opened_anew(): void
    {
        $this->replace(fn (): int => count((new ItemStore(Database::open($this->dsn())))->after('', 10)));
    }

    public function test_kept_services_find_a_replaced_database(): void
    {
        $kept = new KeptServices(fn (): Database => new Database($this->dsn()));
        $this->replace(static fn (): int => count($kept->get()->items()->listItems(10, '')->items));
    }

    public function test_another_driver_is_refused(): void
    {
        $this->expectExceptionMessage('could not find driver');
        Database::open('mysql:host=localhost');
    }

    /** @param Closure(): int $count counts the items */
    private function replace(Closure $count): void
    {
        self::assertSame(5, $count());
        $other = new PDO("sqlite:{$this->folder()}/other.sqlite");
        $other->exec('CREATE TABLE item (id TEXT PRIMARY KEY, name TEXT, description TEXT)');
        rename("{$this->folder()}/other.sqlite", "{$this->folder()}/item.sqlite");
        self::assertSame(0, $count());
        unlink("{$this->folder()}/item.sqlite");
        self::assertSame(5, $count());
    }
}
