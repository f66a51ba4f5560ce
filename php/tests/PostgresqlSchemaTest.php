<?php

declare(strict_types=1);

namespace Tests;

use Shop\Database;
use Shop\Item;
use Shop\Services;

final class PostgresqlSchemaTest extends SchemaTestCase
{
    use PostgresqlDatabase;

    public function test_changes_in_another_schema_of_the_database_are_not_noticed(): void
    {
        $source = $this->changes();
        $other = "{$this->schema}_other";
        $this->admin->exec("CREATE SCHEMA $other");
        $items = (new Services(Database::open(strtr($this->dsn(), [$this->schema => $other]))))->items();
        $items->createItem(new Item('other', '', ''));
        $this->admin->exec("DROP SCHEMA $other CASCADE");
        Database::open($this->dsn())->exec('UPDATE item SET quantity = 7');
        self::assertSame(['old'], self::next($source));
        $source->close();
    }

    public function test_changes_of_a_table_that_is_created_anew_are_noticed(): void
    {
        $source = $this->changes();
        Database::open($this->dsn())->exec('DROP TABLE item');
        $this->open();
        self::assertCount(5, self::next($source));
        $source->close();
    }
}
