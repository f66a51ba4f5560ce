<?php

declare(strict_types=1);

namespace Tests;

use PDO;
use PDOException;
use Shop\Database;
use Shop\Item;
use Shop\ItemService;
use Shop\KeptService;

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

    public function test_a_kept_service_finds_a_new_connection(): void
    {
        $kept = new KeptService(fn (): Database => new Database($this->dsn()));
        $service = $this->found($kept);
        self::assertSame($service, $this->found($kept));
        $kept = new KeptService(fn (): Database => new Database($this->dsn()));
        for ($i = 0; $i < 3; $i++) {
            $this->found($kept);
            $pid = Database::open($this->dsn())->query('SELECT pg_backend_pid()')->fetchColumn();
            $this->admin->exec("SELECT pg_terminate_backend($pid, 5000)");
        }
        self::assertNotSame($service, $this->found($kept));
    }

    public function test_a_kept_service_survives_a_change_of_its_table(): void
    {
        $kept = new KeptService(fn (): Database => new Database($this->dsn()));
        $this->found($kept);
        $this->admin->exec("ALTER TABLE $this->schema.item ALTER description TYPE varchar");
        try {
            $this->found($kept);
            self::fail('PostgreSQL repeats the prepared query');
        } catch (PDOException $error) {
            self::assertStringContainsString('cached plan', $error->getMessage());
        }
        $this->found($kept);
    }

    /** Finds an item. @return ItemService that which found it */
    private function found(KeptService $kept): ItemService
    {
        $service = $kept->get();
        self::assertInstanceOf(Item::class, $service->lookUpItem('6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7'));
        return $service;
    }

    protected function dsn(): string
    {
        return getenv('ITEM_TEST_PG_DSN') . ";options='-c search_path=$this->schema'";
    }
}
