<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use PDO;
use PDOException;
use Throwable;
use UnexpectedValueException;

/**
 * Creates the tables with sample items, or adds to those of an earlier version what they lack, exactly once even if several
 * workers try at the same time. The columns that an earlier version reads stay, so it works beside this one.
 */
abstract class Schema
{
    private const SAMPLE_ITEMS = [
        ['6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7', 'first item', 'first item for sell', 100, 'EUR', 12, 500_000_000],
        ['4415fede-7462-4f12-b87f-ede596ec6ee2', 'second item', 'another item for sell', 100, 'EUR', 7, 990_000_000],
        ['5d210689-cca7-4e81-8437-05b20f658ad0', 'item three', 'Yet another item', 100, 'EUR', 30, 0],
        ['dff79aa1-6b13-4aeb-8dca-22a45322a293', 'item four', 'something else', 100, 'EUR', 149, 0],
        ['6962f4ff-b752-4103-b90c-1f9bcec30913', 'fifth item', 'last item for sell', 100, 'EUR', 4, 250_000_000],
    ];

    /** What the first version of the table lacks. */
    private const STOCK_COLUMNS = [
        'quantity' => 'INTEGER CHECK (quantity >= 0)',
        'price_currency' => 'TEXT',
        'price_units' => 'BIGINT',
        'price_nanos' => 'INTEGER',
    ];

    final protected function __construct(protected readonly PDO $database)
    {
    }

    public static function of(PDO $database): self
    {
        $driver = $database->getAttribute(PDO::ATTR_DRIVER_NAME);
        return match ($driver) {
            'sqlite' => new SqliteSchema($database),
            'pgsql' => new PostgresqlSchema($database),
            default => throw new UnexpectedValueException("the DSN must begin with sqlite: or pgsql:, not $driver:"),
        };
    }

    /**
     * Runs queries, and again with a complete schema if they have failed because of a missing table or column: so no query
     * has to look for them.
     *
     * @template T
     * @param Closure(): T $queries outside of a transaction
     * @return T
     * @throws PDOException
     */
    public function ensured(Closure $queries): mixed
    {
        try {
            return $queries();
        } catch (PDOException $error) {
            if (!$this->mayLack($error)) {
                throw $error;
            }
        }
        $this->complete();
        return $queries();
    }

    public function complete(): void
    {
        if ($this->missing() === []) {
            return;
        }
        $this->begin();
        try {
            // Another worker may have completed it while this one waited.
            foreach ($this->missing() as $step) {
                $step();
            }
            $this->database->exec('COMMIT');
        } catch (Throwable $error) {
            $this->database->exec('ROLLBACK');
            throw $error;
        }
    }

    /** Whether a query may have failed because a table or a column is missing. */
    abstract protected function mayLack(PDOException $error): bool;

    /** @return list<string> the columns and triggers of these tables that there are, as TABLE.NAME */
    abstract protected function parts(): array;

    /** @return list<string> the triggers that announceChanges() creates, as in parts() */
    abstract protected function triggers(): array;

    /** Starts a transaction that no other worker's runs beside. */
    abstract protected function begin(): void;

    /** The order of the ids is that of their bytes. */
    abstract protected function idType(): string;

    /** Makes changes of items known to those that watch them, whoever makes them. */
    abstract protected function announceChanges(): void;

    /** @return list<Closure(): void> what completes the schema */
    private function missing(): array
    {
        $parts = $this->parts();
        $isNew = !in_array('item.id', $parts, true);
        $steps = [];
        if ($isNew) {
            $steps[] = $this->createItems(...);
        } elseif (!in_array('item.quantity', $parts, true)) {
            $steps[] = $this->addStock(...);
        }
        if (array_diff($this->triggers(), $parts) !== []) {
            $steps[] = $this->announceChanges(...);
        }
        if ($isNew) {
            $steps[] = $this->addSampleItems(...);
        }
        if (!in_array('reservation.order_id', $parts, true)) {
            $steps[] = $this->createReservations(...);
        }
        return $steps;
    }

    private function createItems(): void
    {
        $columns = ["id {$this->idType()} PRIMARY KEY", 'name TEXT NOT NULL', 'description TEXT NOT NULL'];
        foreach (self::STOCK_COLUMNS as $name => $type) {
            $columns[] = "$name $type";
        }
        $this->database->exec('CREATE TABLE item (' . implode(', ', $columns) . ')');
    }

    private function addSampleItems(): void
    {
        $insert = $this->database->prepare('INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?)');
        foreach (self::SAMPLE_ITEMS as $row) {
            $insert->execute($row);
        }
    }

    private function addStock(): void
    {
        foreach (self::STOCK_COLUMNS as $name => $type) {
            $this->database->exec("ALTER TABLE item ADD COLUMN $name $type");
        }
    }

    /** An order with released_at (Unix time) has no lines, and gets none any more. */
    private function createReservations(): void
    {
        $this->database->exec(
            "CREATE TABLE reservation (
                order_id {$this->idType()} PRIMARY KEY,
                revision BIGINT NOT NULL,
                released_at BIGINT
            )",
        );
        $this->database->exec('CREATE INDEX reservation_released ON reservation (released_at) WHERE released_at IS NOT NULL');
        $this->database->exec(
            "CREATE TABLE reserved_item (
                order_id {$this->idType()} REFERENCES reservation,
                item_id {$this->idType()},
                quantity INTEGER NOT NULL,
                taken INTEGER NOT NULL,
                PRIMARY KEY (order_id, item_id)
            )",
        );
    }
}
