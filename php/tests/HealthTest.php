<?php

declare(strict_types=1);

namespace Tests;

use Grpc\Tests\CapturedLog;
use PHPUnit\Framework\TestCase;
use Shop\Database;
use Shop\Health;

final class HealthTest extends TestCase
{
    use CapturedLog;
    use SqliteFile;

    public function test_ok_when_the_database_answers(): void
    {
        self::assertSame([200, 'OK'], Health::check(fn () => Database::open($this->dsn())));
        self::assertSame('', $this->log());
    }

    public function test_the_error_of_a_missing_database_goes_only_to_the_log(): void
    {
        $answer = Health::check(static fn () => Database::open('sqlite:/nonexistent/item.sqlite'));
        self::assertSame([503, 'the database does not answer'], $answer);
        self::assertStringContainsString('unable to open database file', $this->log());
    }

    public function test_a_damaged_database_is_unhealthy(): void
    {
        file_put_contents("{$this->folder()}/item.sqlite", str_repeat('not a database ', 1000));
        self::assertSame(503, Health::check(fn () => Database::open($this->dsn()))[0]);
    }

    public function test_the_script_prints_ok(): void
    {
        $script = new Script(__DIR__ . '/../item/healthz.php', ['ITEM_DSN' => $this->dsn()]);
        self::assertSame(['OK', ''], $script->finish());
    }

    public function test_the_script_prints_no_details_of_a_missing_database(): void
    {
        $script = new Script(__DIR__ . '/../item/healthz.php', ['ITEM_DSN' => 'sqlite:/nonexistent/item.sqlite']);
        [$body, $log] = $script->finish();
        self::assertSame('the database does not answer', $body);
        self::assertStringContainsString('unable to open database file', $log);
    }
}
