<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use PDO;
use PDOException;
use PDOStatement;

/** Reads items from the database. Creates the table only when a query fails without it: no other query has to check. */
final class ItemStore
{
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

    /** @return list<Item> at most $limit items whose ids follow $id, in the order of their ids */
    public function after(string $id, int $limit): array
    {
        return $this->items(fn (): PDOStatement => $this->queryPage($id, $limit));
    }

    /** @throws PDOException if the database does not answer */
    public function ping(): void
    {
        $this->rows(fn (): PDOStatement => $this->database->query('SELECT id FROM item LIMIT 1'));
    }

    private function queryOne(string $id): PDOStatement
    {
        $query = $this->findQuery ??= $this->database->prepare('SELECT id, name, description FROM item WHERE id = ?');
        $query->execute([$id]);
        return $query;
    }

    private function queryPage(string $id, int $limit): PDOStatement
    {
        $query = $this->database->prepare(
            'SELECT id, name, description FROM item WHERE id > :id ORDER BY id LIMIT :limit',
        );
        $query->bindValue('id', $id);
        $query->bindValue('limit', $limit, PDO::PARAM_INT);
        $query->execute();
        return $query;
    }

    /**
     * @param Closure(): PDOStatement $query
     * @return list<Item>
     */
    private function items(Closure $query): array
    {
        $items = [];
        foreach ($this->rows($query) as ['id' => $id, 'name' => $name, 'description' => $description]) {
            $items[] = new Item($id, $name, $description);
        }
        return $items;
    }

    /**
     * Fetches all rows, even if there is at most one: an open cursor would keep SQLite locked until the next use of the
     * query.
     *
     * @param Closure(): PDOStatement $query
     * @return list<array{id: string, name: string, description: string}>
     */
    private function rows(Closure $query): array
    {
        try {
            return $query()->fetchAll();
        } catch (PDOException $error) {
            // PostgreSQL does not repeat a prepared query whose columns have another type now.
            $this->findQuery = null;
            if (!$this->schema->mayBeMissing($error)) {
                throw $error;
            }
        }
        $this->schema->createIfMissing();
        return $query()->fetchAll();
    }
}
