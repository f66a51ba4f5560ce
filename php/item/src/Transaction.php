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
    public static function run(PDO $database, Closure $statements): mixed
    {
        $left = self::ATTEMPTS;
        while (true) {
            $database->beginTransaction();
            try {
                $result = $statements();
                $database->commit();
                return $result;
            } catch (Throwable $error) {
                if (!self::rollBack($database) || --$left === 0 || !self::mayRepeat($error)) {
                    throw $error;
                }
            }
            usleep(random_int(0, self::MAX_PAUSE_MICROSECONDS));
        }
    }

    /** @return bool false if the connection is gone, and the transaction with it */
    private static function rollBack(PDO $database): bool
    {
        try {
            return !$database->inTransaction() || $database->rollBack();
        } catch (PDOException) {
            return false;
        }
    }

    private static function mayRepeat(Throwable $error): bool
    {
        return $error instanceof PDOException && in_array($error->errorInfo[0] ?? '', self::UNDONE, true);
    }
}
