<?php

declare(strict_types=1);

namespace Tests;

use Closure;
use Grpc\StatusException;
use Grpc\Tests\CapturedLog;
use PDOException;
use PHPUnit\Framework\Attributes\DataProvider;
use Shop\Database;
use Shop\Errors;
use Shop\Item;
use Shop\KeptServices;
use Shop\Services;

use const Grpc\STATUS_INTERNAL;
use const Grpc\STATUS_UNAVAILABLE;

final class PostgresqlItemServiceTest extends ItemServiceTestCase
{
    use CapturedLog;
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

    public function test_a_connection_that_breaks_in_a_call_makes_the_service_unavailable(): void
    {
        $database = Database::open($this->dsn());
        self::assertUnavailable(static fn (): mixed => $database->query('SELECT pg_terminate_backend(pg_backend_pid())'));
        self::assertUnavailable(static fn (): mixed => $database->query('SELECT 1'));
        $database = Database::open($this->dsn());
        $pid = $database->query('SELECT pg_backend_pid()')->fetchColumn();
        $this->admin->exec("SELECT pg_terminate_backend($pid, 5000)");
        self::assertUnavailable(static fn (): mixed => $database->beginTransaction());
    }

    public function test_an_error_of_a_statement_is_an_error_of_the_service(): void
    {
        $database = Database::open($this->dsn());
        $this->expectExceptionCode(STATUS_INTERNAL);
        Errors::translate(static fn (): mixed => $database->query('SELECT 1 / 0'));
    }

    /** @dataProvider statesOfBusyDatabases */
    #[DataProvider('statesOfBusyDatabases')]
    public function test_a_database_that_gives_a_statement_up_makes_the_service_unavailable(string $state): void
    {
        $database = Database::open($this->dsn());
        self::assertUnavailable(static fn (): mixed => $database->exec("DO 'BEGIN RAISE SQLSTATE ''$state''; END'"));
    }

    /** @return array<string, array{string}> */
    public static function statesOfBusyDatabases(): array
    {
        return ['timeout' => ['57014'], 'lock' => ['55P03'], 'serialization' => ['40001'], 'deadlock' => ['40P01']];
    }

    private static function assertUnavailable(Closure $statement): void
    {
        try {
            Errors::translate($statement);
            self::fail('the connection works');
        } catch (StatusException $error) {
            self::assertSame(STATUS_UNAVAILABLE, $error->getCode());
        }
    }

    /** Finds an item. @return Services those which found it */
    private function found(KeptServices $kept): Services
    {
        $services = $kept->get();
        self::assertInstanceOf(Item::class, $services->items()->lookUpItem('6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7'));
        return $services;
    }
}
