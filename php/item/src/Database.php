<?php

declare(strict_types=1);

namespace Shop;

use PDO;
use PDOException;
use RuntimeException;

/** Opens the database of items: SQLite or PostgreSQL. */
final class Database
{
    /** How long to wait for another writer (SQLite) or for the connection (PostgreSQL). */
    private const TIMEOUT_SECONDS = 5;

    /**
     * connection_exception, too_many_connections, shutdown and startup:
     * https://www.postgresql.org/docs/current/errcodes-appendix.html
     */
    private const UNREACHABLE = '/^(08|53300|57P)/';

    /** The SQLSTATE of SQLite's own errors, and of these SQLITE_BUSY, SQLITE_CANTOPEN, SQLITE_BUSY_SNAPSHOT. */
    private const GENERAL_ERROR = 'HY000';
    private const SQLITE_UNREACHABLE = [5, 14, 517];

    public static function fromEnvironment(): PDO
    {
        return self::open(
            Environment::read('ITEM_DSN') ?? self::defaultDsn(),
            Environment::read('ITEM_DB_USER'),
            Environment::read('ITEM_DB_PASSWORD'),
        );
    }

    public static function open(string $dsn, ?string $user = null, ?string $password = null): PDO
    {
        $open = static fn (): PDO => new PDO($dsn, $user, $password, [
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_TIMEOUT => self::TIMEOUT_SECONDS,
            PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
            PDO::ATTR_PERSISTENT => self::persistence($dsn),
        ]);
        $database = $open();
        // PDO opens a connection anew only if it knows already that the server has closed it.
        return self::isClosed($database) ? $open() : $database;
    }

    /** Looks at what has arrived from PostgreSQL, which takes no round trip: a last message perhaps, then the end. */
    private static function isClosed(PDO $database): bool
    {
        if ($database->getAttribute(PDO::ATTR_DRIVER_NAME) !== 'pgsql') {
            return false;
        }
        try {
            $database->pgsqlGetNotify();
            $database->pgsqlGetNotify();
        } catch (PDOException) {
            return true;
        }
        return false;
    }

    /**
     * Opening a database takes longer than a small query, so it is kept open. An SQLite connection is kept for the file, not
     * for its name: the file may be replaced.
     */
    private static function persistence(string $dsn): bool|string
    {
        [$driver, $file] = explode(':', $dsn, 2) + ['', ''];
        if ($driver !== 'sqlite') {
            return true;
        }
        clearstatcache(true, $file);
        $stat = is_file($file) ? stat($file) : false;
        return $stat === false ? false : "file {$stat['dev']} {$stat['ino']}";
    }

    /** Whether the database, and not the query, is the cause, so that a later call may succeed. */
    public static function isUnreachable(PDOException $error): bool
    {
        [$state, $code] = ($error->errorInfo ?? []) + ['', 0];
        return preg_match(self::UNREACHABLE, (string) $state) === 1
            || ($state === self::GENERAL_ERROR && in_array($code, self::SQLITE_UNREACHABLE, true));
    }

    private static function defaultDsn(): string
    {
        $folder = dirname(__DIR__) . '/var';
        $file = "$folder/item.sqlite";
        // SQLite would only report "unable to open database file".
        if (!is_file($file) && !is_writable($folder)) {
            throw new RuntimeException("set ITEM_DSN, or make $folder a folder that this user can write to");
        }
        return "sqlite:$file";
    }
}
