<?php

declare(strict_types=1);

namespace Tests;

use PDO;
use PHPUnit\Framework\TestCase;
use Shop\Database;
use Shop\Schema;
use Shop\Services;

/** Tests with a database. */
abstract class DatabaseTestCase extends TestCase
{
    /** The DSN of a database that is empty at the start of each test. */
    abstract protected function dsn(): string;

    protected function open(): PDO
    {
        $database = Database::open($this->dsn());
        Schema::of($database)->complete();
        return $database;
    }

    protected function services(): Services
    {
        return new Services(Database::open($this->dsn()));
    }

    /**
     * Runs processes of a script at the same time.
     *
     * @param list<array<string, string>> $environments one for each process
     * @return list<string> what each has printed
     */
    protected function runAtOnce(string $script, array $environments): array
    {
        $start = fn (array $environment): Script => new Script($script, ['ITEM_DSN' => $this->dsn()] + $environment);
        $scripts = array_map($start, $environments);
        foreach ($scripts as $script) {
            self::assertSame("ready\n", $script->readLine());
        }
        foreach ($scripts as $script) {
            $script->endInput();
        }
        return array_map(static function (Script $script): string {
            [$output, $errors] = $script->finish();
            self::assertSame('', $errors);
            return $output;
        }, $scripts);
    }
}
