<?php

declare(strict_types=1);

namespace Shop;

use PDO;
use PDOStatement;

/** Reads items from the database. */
final class ItemStore
{
    private ?PDOStatement $findQuery = null;

    public function __construct(private readonly PDO $database)
    {
    }

    public function find(string $id): ?Item
    {
        $query = $this->findQuery ??= $this->database->prepare('SELECT id, name, description FROM item WHERE id = ?');
        $query->execute([$id]);
        // All of it, though it is one row at most: SQLite would stay locked until the next use of the query.
        $row = $query->fetchAll()[0] ?? null;
        return $row === null ? null : new Item(...$row);
    }

    /** @return list<Item> at most $limit items with ids after $id, in the order of their ids */
    public function after(string $id, int $limit): array
    {
        $query = $this->database->prepare(
            'SELECT id, name, description FROM item WHERE id > :id ORDER BY id LIMIT :limit',
        );
        $query->bindValue('id', $id);
        $query->bindValue('limit', $limit, PDO::PARAM_INT);
        $query->execute();
        return array_map(static fn (array $row): Item => new Item(...$row), $query->fetchAll());
    }

    /** Throws if the database does not answer. */
    public function ping(): void
    {
        $this->database->query('SELECT id FROM item LIMIT 1')->fetchAll();
    }
}
