<?php

declare(strict_types=1);

namespace Shop;

use PDO;
use PDOException;
use Throwable;
use UnexpectedValueException;

/** Creates the table of items and its sample rows, exactly once even if several workers try at the same time. */
final class Schema
{
    private const SAMPLE_ITEMS = [
        ['6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7', 'first item', 'first item for sell'],
        ['4415fede-7462-4f12-b87f-ede596ec6ee2', 'second item', 'another item for sell'],
        ['5d210689-cca7-4e81-8437-05b20f658ad0', 'item three', 'Yet another item'],
        ['dff79aa1-6b13-4aeb-8dca-22a45322a293', 'item four', 'something else'],
        ['6962f4ff-b752-4103-b90c-1f9bcec30913', 'fifth item', 'last item for sell'],
    ];

    /** An arbitrary number that nothing else in the database locks. */
    private const POSTGRESQL_LOCK = 6_424_835_102;

    /**
     * @param array{string, int} $missing the SQLSTATE and the driver's code of a query without the table
     * @param string $exists a query that counts tables of that name
     * @param list<string> $begin statements that start a transaction and take the lock
     */
    private function __construct(
        private readonly PDO $database,
        private readonly array $missing,
        private readonly string $exists,
        private readonly array $begin,
        private readonly string $collation,
    ) {
    }

    public static function of(PDO $database): self
    {
        $driver = $database->getAttribute(PDO::ATTR_DRIVER_NAME);
        return match ($driver) {
            'sqlite' => new self(
                $database,
                // SQLite has the same codes for any query that does not compile.
                ['HY000', 1],
                "SELECT count(*) FROM sqlite_master WHERE type IN ('table', 'view') AND name = 'item'",
                // Two deferred transactions that start to write would not wait for each other: one fails.
                ['BEGIN IMMEDIATE'],
                'BINARY',
            ),
            'pgsql' => new self(
                $database,
                ['42P01', 7],
                // Not to_regclass('item'): within a transaction it repeats its result from before the wait for the lock.
                "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                    WHERE relname = 'item' AND nspname = ANY (current_schemas(false))",
                // A lock, because CREATE TABLE IF NOT EXISTS fails when two sessions run it at once.
                [
                    'BEGIN ISOLATION LEVEL READ COMMITTED',
                    'SELECT pg_advisory_xact_lock(' . self::POSTGRESQL_LOCK . ')',
                ],
                '"C"',
            ),
            default => throw new UnexpectedValueException("the DSN must begin with sqlite: or pgsql:, not $driver:"),
        };
    }

    /** Whether a query may have failed because the table is missing. */
    public function mayBeMissing(PDOException $error): bool
    {
        return array_slice($error->errorInfo ?? [], 0, 2) === $this->missing;
    }

    public function createIfMissing(): void
    {
        if ($this->exists()) {
            return;
        }
        foreach ($this->begin as $statement) {
            $this->database->exec($statement);
        }
        try {
            // Another worker may have created it while this one waited.
            if (!$this->exists()) {
                $this->create();
            }
            $this->database->exec('COMMIT');
        } catch (Throwable $error) {
            $this->database->exec('ROLLBACK');
            throw $error;
        }
    }

    private function exists(): bool
    {
        return (int) $this->database->query($this->exists)->fetchColumn() > 0;
    }

    private function create(): void
    {
        $this->database->exec(
            "CREATE TABLE item (
                id TEXT COLLATE $this->collation NOT NULL PRIMARY KEY,
                name TEXT NOT NULL,
                description TEXT NOT NULL
            )",
        );
        $insert = $this->database->prepare('INSERT INTO item (id, name, description) VALUES (?, ?, ?)');
        foreach (self::SAMPLE_ITEMS as $row) {
            $insert->execute($row);
        }
    }
}
