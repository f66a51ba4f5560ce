<?php

declare(strict_types=1);

namespace Tests;

use Shop\Database;

final class SqliteItemServiceTest extends ItemServiceTestCase
{
    use SqliteFile;

    public function test_a_database_that_nobody_may_write_to_can_be_read(): void
    {
        Database::open($this->dsn());
        chmod("$this->folder/item.sqlite", 0o444);
        $items = Database::open($this->dsn())->query('SELECT id FROM item')->fetchAll();
        self::assertCount(5, $items);
    }

    public function test_a_driver_of_another_kind_is_refused(): void
    {
        $this->expectExceptionMessage('could not find driver');
        Database::open('mysql:host=localhost');
    }
}
