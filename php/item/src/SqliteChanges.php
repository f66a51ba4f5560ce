<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use Grpc\ServerCallReader;
use Grpc\Wait;
use PDO;

/** Looks a few times a second at the log of changes that the triggers of SqliteSchema write. */
final class SqliteChanges implements ChangeSource
{
    private const SECONDS = 0.2;
    private const MAX_CHANGES = 1000;

    private ?PDO $database = null;
    private int $number = 0;

    /** @param Closure(): PDO $connection returns the same one as long as it is good */
    public function __construct(private readonly Closure $connection)
    {
    }

    public function open(): void
    {
        Schema::of(($this->connection)())->complete();
        // Another one if that has created the file.
        $this->database = ($this->connection)();
        $this->number = self::last($this->database);
    }

    public function await(?ServerCallReader $reader): array
    {
        Wait::first($reader, seconds: self::SECONDS);
        $database = ($this->connection)();
        if ($database !== $this->database) {
            throw new ConnectionLost('the file has been replaced');
        }
        $query = 'SELECT number, item_id FROM item_change WHERE number > ? ORDER BY number LIMIT ?';
        /** @var list<array{number: int, item_id: string}> $changes */
        $changes = Query::rows($database, $query, [$this->number, self::MAX_CHANGES]);
        if ($changes === [] && self::last($database) < $this->number) {
            throw new ConnectionLost('the content of the file has been replaced');
        }
        $ids = [];
        foreach ($changes as ['number' => $number, 'item_id' => $id]) {
            $this->number = $number;
            $ids[] = $id;
        }
        return $ids;
    }

    public function close(): void
    {
        $this->database = null;
    }

    /** The number of the last change. */
    private static function last(PDO $database): int
    {
        return (int) (Query::column($database, 'SELECT max(number) FROM item_change')[0] ?? 0);
    }
}
