<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use PDO;
use PDOException;
use Throwable;

/** Runs statements all or none. */
final class Transaction
{
    private const ATTEMPTS = 5;
    private const MAX_PAUSE_MICROSECONDS = 20_000;

    /** serialization_failure, deadlock_detected: the database has undone the transaction, and it may succeed now. */
    private const UNDONE = ['40001', '40P01'];

    /**
     * @template T
     * @param Closure(): T $statements their first one writes, so that SQLite takes the lock for writing before it reads: two
     * transactions that have both read could not write any more
     * @return T
     * @throws PDOException
     */
    public static function run(PDO $database, Closure $statements, int $attempts = self::ATTEMPTS): mixed
    {
        $database->beginTransaction();
        try {
            $result = $statements();
            $database->commit();
            return $result;
        } catch (Throwable $error) {
            self::rollBack($database);
            if ($attempts <= 1 || !self::mayRepeat($error)) {
                throw $error;
            }
        }
        usleep(random_int(0, self::MAX_PAUSE_MICROSECONDS));
        return self::run($database, $statements, $attempts - 1);
    }

    private static function rollBack(PDO $database): void
    {
        try {
            if ($database->inTransaction()) {
                $database->rollBack();
            }
        } catch (PDOException) {
            // The connection is gone, and the transaction with it. The first error says why.
        }
    }

    private static function mayRepeat(Throwable $error): bool
    {
        return $error instanceof PDOException && in_array($error->errorInfo[0] ?? '', self::UNDONE, true);
    }
}
