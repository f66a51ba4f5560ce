<?php

declare(strict_types=1);

namespace Tests;

use PDOException;
use Shop\Database;
use Shop\Item;
use Shop\KeptServices;
use Shop\Services;

final class PostgresqlItemServiceTest extends ItemServiceTestCase
{
    use PostgresqlDatabase;

    public function test_a_connection_that_the_server_has_closed_is_opened_anew(): void
    {
        $pid = fn (): int => Database::open($this->dsn())->query('SELECT pg_backend_pid()')->fetchColumn();
        $first = $pid();
        self::assertSame($first, $pid());
        $this->admin->exec("SELECT pg_terminate_backend($first, 5000)");
        self::assertNotSame($first, $pid());
    }

    public function test_kept_services_find_a_new_connection(): void
    {
        $kept = new KeptServices(fn (): Database => new Database($this->dsn()));
        $services = $this->found($kept);
        self::assertSame($services, $this->found($kept));
        $kept = new KeptServices(fn (): Database => new Database($this->dsn()));
        for ($i = 0; $i < 3; $i++) {
            $this->found($kept);
            $pid = Database::open($this->dsn())->query('SELECT pg_backend_pid()')->fetchColumn();
            $this->admin->exec("SELECT pg_terminate_backend($pid, 5000)");
        }
        self::assertNotSame($services, $this->found($kept));
    }

    public function test_kept_services_survive_a_change_of_their_table(): void
    {
        $kept = new KeptServices(fn (): Database => new Database($this->dsn()));
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

    /** Finds an item. @return Services those which found it */
    private function found(KeptServices $kept): Services
    {
        $services = $kept->get();
        self::assertInstanceOf(Item::class, $services->items()->lookUpItem('6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7'));
        return $services;
    }
}
