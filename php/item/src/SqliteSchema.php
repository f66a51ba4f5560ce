<?php

declare(strict_types=1);

namespace Shop;

use PDOException;

/** The schema in SQLite, with a log of changes: the table item_change has a row for each item, whose number grows. */
final class SqliteSchema extends Schema
{
    private const EVENTS = ['INSERT', 'UPDATE'];

    protected function mayLack(PDOException $error): bool
    {
        // SQLite has the same codes for any query that does not compile.
        return array_slice($error->errorInfo ?? [], 0, 2) === ['HY000', 1];
    }

    protected function parts(): array
    {
        return Query::column(
            $this->database,
            "SELECT tables.name || '.' || columns.name
                FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
                WHERE tables.type IN ('table', 'view') AND tables.name IN ('item', 'reservation')
                UNION ALL SELECT tbl_name || '.' || name FROM sqlite_master WHERE type = 'trigger'",
        );
    }

    protected function triggers(): array
    {
        return array_map(static fn (string $event): string => "item.item_change_by_$event", self::EVENTS);
    }

    protected function begin(): void
    {
        // Two deferred transactions that start to write would not wait for each other: one fails.
        $this->database->exec('BEGIN IMMEDIATE');
    }

    protected function idType(): string
    {
        return 'TEXT NOT NULL';
    }

    protected function announceChanges(): void
    {
        $this->database->exec(
            'CREATE TABLE IF NOT EXISTS item_change (
                number INTEGER PRIMARY KEY AUTOINCREMENT,
                item_id TEXT NOT NULL UNIQUE
            )',
        );
        foreach (self::EVENTS as $event) {
            // Not INSERT OR REPLACE: the conflict clause of the outer statement would take precedence.
            $this->database->exec(
                "CREATE TRIGGER IF NOT EXISTS item_change_by_$event AFTER $event ON item BEGIN
                    DELETE FROM item_change WHERE item_id = NEW.id;
                    INSERT INTO item_change (item_id) VALUES (NEW.id);
                END",
            );
        }
    }
}
