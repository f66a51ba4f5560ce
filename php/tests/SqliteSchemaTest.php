<?php

declare(strict_types=1);

namespace Tests;

use Shop\ConnectionLost;
use Shop\Database;

final class SqliteSchemaTest extends SchemaTestCase
{
    use SqliteFile;

    public function test_an_earlier_content_of_the_file_is_noticed(): void
    {
        $source = $this->changes();
        $database = Database::open($this->dsn());
        $database->exec('UPDATE item SET quantity = 7');
        self::assertSame(['old'], self::next($source));
        // As sqlite3's command .restore does.
        $database->exec('DELETE FROM item_change; DELETE FROM sqlite_sequence');
        $this->expectExceptionObject(new ConnectionLost('the content of the file has been replaced'));
        $source->await(null);
    }
}
