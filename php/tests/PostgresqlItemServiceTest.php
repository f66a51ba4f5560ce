<?php

declare(strict_types=1);

namespace Tests;

use PDO;

/** Needs ITEM_TEST_PG_DSN: a database in which schemas may be made; each test has one of its own. */
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
        // Without the notices that say what goes with it.
        $this->admin?->exec("SET client_min_messages = warning; DROP SCHEMA $this->schema CASCADE");
    }

    protected function dsn(): string
    {
        return getenv('ITEM_TEST_PG_DSN') . ";options='-c search_path=$this->schema'";
    }
}
