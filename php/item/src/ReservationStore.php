<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use PDO;

/**
 * Keeps for each order which pieces it has taken from the stock, or that it has been released. All writers lock the order first,
 * then its items in the order of their ids, so that none waits for another in a circle.
 */
final class ReservationStore
{
    private const MAX_QUANTITY = 2_147_483_647;

    /** How long a released order is kept, in seconds: a request for it must not come later. */
    private const RELEASED_KEPT = 86_400;
    private const MAX_PRUNED = 100;

    private readonly Schema $schema;

    /** SQLite locks the file, not rows. */
    private readonly string $forUpdate;
    private readonly string $skipLocked;

    public function __construct(private readonly PDO $database)
    {
        $this->schema = Schema::of($database);
        $isPostgresql = $database->getAttribute(PDO::ATTR_DRIVER_NAME) === 'pgsql';
        $this->forUpdate = $isPostgresql ? 'FOR UPDATE' : '';
        $this->skipLocked = $isPostgresql ? 'FOR UPDATE SKIP LOCKED' : '';
    }

    /**
     * Sets what an order has reserved.
     *
     * @param array<string, int> $quantities by the ids of items
     * @throws NotFound
     * @throws OutOfStock
     * @throws Outdated
     */
    public function reserve(string $orderId, int $revision, array $quantities): void
    {
        $this->transact(function () use ($orderId, $revision, $quantities): void {
            $order = $this->lockOrder($orderId);
            $lines = $this->lines($orderId);
            if ($order['released_at'] !== null) {
                throw new Outdated("released: order/$orderId");
            }
            if ($revision < $order['revision']) {
                throw new Outdated("changed since: order/$orderId");
            }
            if ($revision === $order['revision']) {
                $reserved = array_column($lines, 'quantity', 'item_id');
                if (count($reserved) !== count($quantities) || array_diff_assoc($reserved, $quantities) !== []) {
                    throw new Outdated("reserved otherwise at this revision: order/$orderId");
                }
                return;
            }
            $this->setLines($orderId, $this->take($quantities, $lines));
            Query::run($this->database, 'UPDATE reservation SET revision = ? WHERE order_id = ?', [$revision, $orderId]);
        });
    }

    /** Gives back what an order has reserved, for good. */
    public function release(string $orderId): void
    {
        $this->transact(function () use ($orderId): void {
            if ($this->lockOrder($orderId)['released_at'] !== null) {
                return;
            }
            $this->take([], $this->lines($orderId));
            $this->setLines($orderId, []);
            Query::run($this->database, 'UPDATE reservation SET released_at = ? WHERE order_id = ?', [time(), $orderId]);
        });
        $this->prune();
    }

    /** @param Closure(): void $statements */
    private function transact(Closure $statements): void
    {
        $this->schema->ensured(fn (): mixed => Transaction::run($this->database, $statements));
    }

    /** @return array{revision: int, released_at: int|null} of a new order the revision 0 */
    private function lockOrder(string $orderId): array
    {
        // An update that changes nothing locks the row, and returns what others have committed.
        $insert = 'INSERT INTO reservation (order_id, revision) VALUES (?, 0)
            ON CONFLICT (order_id) DO UPDATE SET revision = reservation.revision RETURNING revision, released_at';
        /** @var list<array{revision: int, released_at: int|null}> $rows */
        $rows = Query::rows($this->database, $insert, [$orderId]);
        return $rows[0];
    }

    /** @return list<array{item_id: string, quantity: int, taken: int}> */
    private function lines(string $orderId): array
    {
        $query = 'SELECT item_id, quantity, taken FROM reserved_item WHERE order_id = ?';
        /** @var list<array{item_id: string, quantity: int, taken: int}> */
        return Query::rows($this->database, $query, [$orderId]);
    }

    /**
     * Takes from the stock what an order needs beyond what it has, or puts back what it needs no longer. What it has is not refused,
     * even if an item has been deleted since, or is counted only since then: otherwise its change could be neither made nor undone.
     *
     * @param array<string, int> $quantities by the ids of items
     * @param list<array{item_id: string, quantity: int, taken: int}> $lines what the order has
     * @return list<array{string, int, int}> the id, the quantity, and how many pieces of it are taken: the others were not counted
     */
    private function take(array $quantities, array $lines): array
    {
        $has = array_column($lines, 'quantity', 'item_id');
        $taken = array_column($lines, 'taken', 'item_id');
        $ids = array_map(strval(...), array_keys($quantities + $has));
        sort($ids, SORT_STRING);
        $stock = $this->lockItems($ids);
        $isMore = static fn (int $needs, int|string $id): bool => $needs > ($has[$id] ?? 0);
        self::checkExist(array_filter($quantities, $isMore, ARRAY_FILTER_USE_BOTH), $stock);
        $update = $this->database->prepare('UPDATE item SET quantity = ? WHERE id = ?');
        $next = [];
        $short = [];
        foreach ($ids as $id) {
            $available = $stock[$id] ?? null;
            $before = $taken[$id] ?? 0;
            $after = self::taken($quantities[$id] ?? 0, $has[$id] ?? 0, $before, $available !== null);
            if ($available !== null && $after !== $before) {
                $left = $available + $before - $after;
                if ($left < 0) {
                    $short[] = $id;
                    continue;
                }
                $update->execute([min($left, self::MAX_QUANTITY), $id]);
            }
            if (isset($quantities[$id])) {
                $next[] = [$id, $quantities[$id], $after];
            }
        }
        return $short === [] ? $next : throw new OutOfStock($short);
    }

    /**
     * How many of the pieces that an order needs are taken from the stock. While the item is counted, more pieces are taken and fewer
     * are put back; while it is not (or is deleted), the pieces that were not counted become more or fewer. So a change that is undone
     * leaves what was there.
     */
    private static function taken(int $needs, int $has, int $taken, bool $counted): int
    {
        return $counted ? max(0, $needs - ($has - $taken)) : min($needs, $taken);
    }

    /**
     * @param array<string, int> $quantities
     * @param array<string, int|null> $stock
     * @throws NotFound
     */
    private static function checkExist(array $quantities, array $stock): void
    {
        $missing = array_keys(array_diff_key($quantities, $stock));
        if ($missing !== []) {
            throw new NotFound(...array_map(strval(...), $missing));
        }
    }

    /**
     * @param list<string> $ids
     * @return array<string, int|null> the quantities of those that exist, in the order of their ids
     */
    private function lockItems(array $ids): array
    {
        if ($ids === []) {
            return [];
        }
        $query = 'SELECT id, quantity FROM item WHERE id IN (' . Query::marks($ids) . ") ORDER BY id $this->forUpdate";
        /** @var list<array{id: string, quantity: int|null}> $rows */
        $rows = Query::rows($this->database, $query, $ids);
        return array_column($rows, 'quantity', 'id');
    }

    /** @param list<array{string, int, int}> $lines */
    private function setLines(string $orderId, array $lines): void
    {
        Query::run($this->database, 'DELETE FROM reserved_item WHERE order_id = ?', [$orderId]);
        if ($lines !== []) {
            $marks = implode(', ', array_fill(0, count($lines), '(?, ?, ?, ?)'));
            $values = [];
            foreach ($lines as [$itemId, $quantity, $taken]) {
                array_push($values, $orderId, $itemId, $quantity, $taken);
            }
            Query::run($this->database, "INSERT INTO reserved_item (order_id, item_id, quantity, taken) VALUES $marks", $values);
        }
    }

    /** In a transaction of its own, which holds no other lock. */
    private function prune(): void
    {
        Query::run(
            $this->database,
            "DELETE FROM reservation WHERE order_id IN (
                SELECT order_id FROM reservation WHERE released_at < ? LIMIT ? $this->skipLocked
            )",
            [time() - self::RELEASED_KEPT, self::MAX_PRUNED],
        );
    }
}
