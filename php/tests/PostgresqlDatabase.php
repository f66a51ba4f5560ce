<?php

declare(strict_types=1);

namespace Tests;

use PDO;
use PHPUnit\Framework\Attributes\After;

/** Requires ITEM_TEST_PG_DSN, a database in which the tests may create schemas; each test uses its own. */
trait PostgresqlDatabase
{
    private ?PDO $admin = null;

    /** Since the first use of dsn(): PHPUnit's versions differ in which of several methods runs first before a test. */
    private string $schema = '';

    public static function setUpBeforeClass(): void
    {
        if (!getenv('ITEM_TEST_PG_DSN')) {
            self::markTestSkipped('ITEM_TEST_PG_DSN is not set: pgsql:host=HOST;dbname=NAME;user=USER');
        }
    }

    /** @after */
    #[After]
    protected function dropSchema(): void
    {
        // Without a notice for each dropped object, and without the connections that this process would keep.
        $this->admin?->exec(
            "SET client_min_messages = warning;
            DROP SCHEMA $this->schema CASCADE;
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '$this->schema'",
        );
        $this->admin = null;
    }

    protected function dsn(): string
    {
        if ($this->admin === null) {
            $this->schema = 'item_' . bin2hex(random_bytes(8));
            $this->admin = new PDO(getenv('ITEM_TEST_PG_DSN'));
            $this->admin->exec("CREATE SCHEMA $this->schema");
        }
        return getenv('ITEM_TEST_PG_DSN') . ";application_name=$this->schema;options='-c search_path=$this->schema'";
    }
}
