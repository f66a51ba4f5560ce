<?php

declare(strict_types=1);

namespace Tests;

use PDO;
use Shop\Database;

/** Requires ITEM_TEST_PG_DSN, a database in which the tests may create schemas; each test uses its own. */
final class PostgresqlItemServiceTest extends ItemServiceTestCase
{
    private ?PDO $admin = null;
    private string $schema;

    public static function setUpBeforeClass(): void
    {
        if (!getenv('ITEM_TEST_PG_DSN')) {
            self::markTestSkipped('ITEM_TEST_PG_DSN is not set: pgsql:host=HOST;dbname=NAME;user=USER');
        }
    }

    protected function setUp(): void
    {
        $this->schema = 'item_' . bin2hex(random_bytes(8));
        $this->admin = new PDO(getenv('ITEM_TEST_PG_DSN'));
        $this->admin->exec("CREATE SCHEMA $this->schema");
    }

    protected function tearDown(): void
    {
        // Without a notice for each dropped object.
        $this->admin?->exec("SET client_min_messages = warning; DROP SCHEMA $this->schema CASCADE");
    }

    public function test_a_connection_that_the_server_has_closed_is_opened_anew(): void
    {
        $pid = fn (): int => Database::open($this->dsn())->query('SELECT pg_backend_pid()')->fetchColumn();
        $first = $pid();
        self::assertSame($first, $pid());
        $this->admin->exec("SELECT pg_terminate_backend($first, 5000)");
        self::assertNotSame($first, $pid());
    }

    protected function dsn(): string
    {
        return getenv('ITEM_TEST_PG_DSN') . ";options='-c search_path=$this->schema'";
    }
}
