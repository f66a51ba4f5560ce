<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use PDO;
use PDOException;
use PDOStatement;

/** Reads and writes items in the database. */
final class ItemStore
{
    private const COLUMNS = 'id, name, description, quantity, price_currency, price_units, price_nanos';

    private ?PDOStatement $findQuery = null;

    private readonly Schema $schema;

    public function __construct(private readonly PDO $database)
    {
        $this->schema = Schema::of($database);
    }

    public function find(string $id): ?Item
    {
        return $this->items(fn (): PDOStatement => $this->queryOne($id))[0] ?? null;
    }

    /**
     * @param list<string> $ids
     * @return list<Item> those that exist, in the order of their ids
     */
    public function findAll(array $ids): array
    {
        if ($ids === []) {
            return [];
        }
        $query = 'SELECT ' . self::COLUMNS . ' FROM item WHERE id IN (' . Query::marks($ids) . ') ORDER BY id';
        return $this->items(fn (): PDOStatement => Query::run($this->database, $query, $ids));
    }

    /** @return list<Item> at most $limit items whose ids follow $id, in the order of their ids */
    public function after(string $id, int $limit): array
    {
        $query = 'SELECT ' . self::COLUMNS . ' FROM item WHERE id > ? ORDER BY id LIMIT ?';
        return $this->items(fn (): PDOStatement => Query::run($this->database, $query, [$id, $limit]));
    }

    /** @return bool false if the id is taken */
    public function create(Item $item): bool
    {
        $row = ['id' => $item->id] + self::row($item);
        $names = implode(', ', array_keys($row));
        $insert = "INSERT INTO item ($names) VALUES (" . Query::marks($row) . ') ON CONFLICT (id) DO NOTHING RETURNING id';
        return $this->rows(fn (): PDOStatement => Query::run($this->database, $insert, array_values($row))) !== [];
    }

    /**
     * @param list<string> $fields names of properties of $item: those to change
     * @return Item|null the whole item after the change; null if it does not exist
     */
    public function update(Item $item, array $fields): ?Item
    {
        if ($fields === []) {
            return $this->find($item->id);
        }
        $changed = [];
        foreach (self::row($item) as $column => $value) {
            if (in_array(explode('_', $column)[0], $fields, true)) {
                $changed["$column = ?"] = $value;
            }
        }
        $update = 'UPDATE item SET ' . implode(', ', array_keys($changed)) . ' WHERE id = ? RETURNING ' . self::COLUMNS;
        $values = [...array_values($changed), $item->id];
        return $this->items(fn (): PDOStatement => Query::run($this->database, $update, $values))[0] ?? null;
    }

    /** @throws PDOException if the database does not answer */
    public function ping(): void
    {
        $this->rows(fn (): PDOStatement => $this->database->query('SELECT quantity FROM item LIMIT 1'));
    }

    private function queryOne(string $id): PDOStatement
    {
        $query = $this->findQuery ??= $this->database->prepare('SELECT ' . self::COLUMNS . ' FROM item WHERE id = ?');
        $query->execute([$id]);
        return $query;
    }

    /**
     * @param Closure(): PDOStatement $query
     * @return list<Item>
     */
    private function items(Closure $query): array
    {
        $items = [];
        /** @var array{
         *     id: string, name: string, description: string, quantity: int|null,
         *     price_currency: string|null, price_units: int|null, price_nanos: int|null,
         * } $row */
        foreach ($this->rows($query) as $row) {
            $price = $row['price_currency'] === null
                ? null
                : new Price($row['price_currency'], $row['price_units'] ?? 0, $row['price_nanos'] ?? 0);
            $items[] = new Item($row['id'], $row['name'], $row['description'], $row['quantity'], $price);
        }
        return $items;
    }

    /**
     * Fetches all rows, even if there is at most one: an open cursor would keep SQLite locked until the next use of the
     * query.
     *
     * @param Closure(): PDOStatement $query
     * @return list<array<string, mixed>>
     */
    private function rows(Closure $query): array
    {
        return $this->schema->ensured(/** @return list<array<string, mixed>> */ function () use ($query): array {
            try {
                return $query()->fetchAll();
            } catch (PDOException $error) {
                // PostgreSQL does not repeat a prepared query whose columns have another type now.
                $this->findQuery = null;
                throw $error;
            }
        });
    }

    /** @return array<string, int|string|null> the columns besides the id */
    private static function row(Item $item): array
    {
        return [
            'name' => $item->name,
            'description' => $item->description,
            'quantity' => $item->quantity,
            'price_currency' => $item->price?->currency,
            'price_units' => $item->price?->units,
            'price_nanos' => $item->price?->nanos,
        ];
    }
}
