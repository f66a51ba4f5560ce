<?php

declare(strict_types=1);

namespace Shop;

use PDO;
use PDOException;

/** The schema in PostgreSQL, which notifies of the id of each changed item. */
final class PostgresqlSchema extends Schema
{
    /** An arbitrary number that nothing else in the database locks. */
    private const LOCK = 6_424_835_102;

    /** undefined_table, undefined_column */
    private const LACKS = ['42P01', '42703'];

    /** The channel of the notifications: one for each schema, since channels belong to the whole database. */
    public static function channel(PDO $database): string
    {
        return Query::column($database, "SELECT 'item_' || relnamespace FROM pg_class WHERE oid = 'item'::regclass")[0];
    }

    protected function mayLack(PDOException $error): bool
    {
        return in_array($error->errorInfo[0] ?? '', self::LACKS, true);
    }

    protected function parts(): array
    {
        // Not to_regclass('item'): within a transaction it repeats its result from before the wait for the lock.
        return Query::column(
            $this->database,
            "SELECT relname || '.' || part
                FROM (
                    SELECT attrelid AS owner, attname AS part FROM pg_attribute WHERE NOT attisdropped
                    UNION ALL SELECT tgrelid, tgname FROM pg_trigger
                ) AS parts JOIN pg_class ON pg_class.oid = owner JOIN pg_namespace ON pg_namespace.oid = relnamespace
                WHERE relname IN ('item', 'reservation') AND nspname = ANY (current_schemas(false))",
        );
    }

    protected function triggers(): array
    {
        return ['item.announce_item'];
    }

    protected function begin(): void
    {
        $this->database->exec('BEGIN ISOLATION LEVEL READ COMMITTED');
        // A lock, because CREATE TABLE IF NOT EXISTS fails when two sessions run it at once.
        $this->database->exec('SELECT pg_advisory_xact_lock(' . self::LOCK . ')');
    }

    protected function idType(): string
    {
        return 'TEXT COLLATE "C" NOT NULL';
    }

    protected function announceChanges(): void
    {
        // Not by the table's number: the table may be created anew while workers listen.
        $this->database->exec(
            "CREATE OR REPLACE FUNCTION notify_item() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
                PERFORM pg_notify('item_' || relnamespace, NEW.id) FROM pg_class WHERE oid = TG_RELID;
                RETURN NULL;
            END \$\$",
        );
        $this->database->exec(
            'CREATE TRIGGER announce_item AFTER INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION notify_item()',
        );
    }
}
