<?php

declare(strict_types=1);

namespace Shop;

use PDO;
use PDOException;
use PDOStatement;

/** Runs statements that are too rare to stay prepared. */
final class Query
{
    /**
     * @param list<int|string|null> $values of the question marks
     * @throws PDOException
     */
    public static function run(PDO $database, string $statement, array $values): PDOStatement
    {
        $query = $database->prepare($statement);
        foreach ($values as $i => $value) {
            $query->bindValue($i + 1, $value, is_int($value) ? PDO::PARAM_INT : PDO::PARAM_STR);
        }
        $query->execute();
        return $query;
    }

    /**
     * The first column of all rows.
     *
     * @return list<string>
     * @throws PDOException
     */
    public static function column(PDO $database, string $statement): array
    {
        /** @var list<string> */
        return self::run($database, $statement, [])->fetchAll(PDO::FETCH_COLUMN);
    }

    /**
     * Fetches all rows: an open cursor would keep SQLite locked.
     *
     * @param list<int|string|null> $values of the question marks
     * @return list<array<string, mixed>>
     * @throws PDOException
     */
    public static function rows(PDO $database, string $statement, array $values): array
    {
        /** @var list<array<string, mixed>> */
        return self::run($database, $statement, $values)->fetchAll();
    }

    /** @param array<mixed> $values @return string a question mark for each, at least one */
    public static function marks(array $values): string
    {
        return implode(', ', array_fill(0, count($values), '?'));
    }
}
