<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use PDO;
use PDOException;
use RuntimeException;
use SensitiveParameter;

/** The database of items, SQLite or PostgreSQL, and the connection to it. */
final class Database
{
    /** How long to wait for another writer (SQLite) or for the connection (PostgreSQL). */
    private const TIMEOUT_SECONDS = 5;

    /**
     * connection_exception, too_many_connections, shutdown and startup:
     * https://www.postgresql.org/docs/current/errcodes-appendix.html
     */
    private const UNREACHABLE = '/^(08|53300|57P)/';

    /** query_canceled (by statement_timeout), lock_not_available, serialization_failure, deadlock_detected */
    private const BUSY = ['57014', '55P03', '40001', '40P01'];

    /**
     * The SQLSTATE of errors without one, and of these: SQLITE_BUSY, SQLITE_CANTOPEN, SQLITE_BUSY_SNAPSHOT, and
     * PGRES_FATAL_ERROR. The last one means that the connection broke, since PostgreSQL's own errors have an SQLSTATE; with the
     * same number SQLite is out of memory.
     */
    private const GENERAL_ERROR = 'HY000';
    private const GENERAL_UNREACHABLE = [5, 14, 517, 7];

    private ?PDO $connection = null;

    /** What the connection is kept for. */
    private bool|string $persistence = false;

    public function __construct(
        private readonly string $dsn,
        private readonly ?string $user = null,
        #[SensitiveParameter] private readonly ?string $password = null,
    ) {
    }

    public static function fromEnvironment(): self
    {
        return new self(
            Environment::read('ITEM_DSN') ?? self::defaultDsn(),
            Environment::read('ITEM_DB_USER'),
            Environment::read('ITEM_DB_PASSWORD'),
        );
    }

    public static function open(string $dsn): PDO
    {
        return (new self($dsn))->connect();
    }

    /** Whether PostgreSQL has not closed the connection, or the file is still the same: takes no round trip. */
    public function isConnected(): bool
    {
        return $this->connection !== null && $this->persistence !== false
            && $this->persistence === self::persistence($this->dsn)
            && !self::isClosed($this->connection);
    }

    /** Nothing may use an earlier connection any more: its prepared queries would be removed from this one. */
    public function connect(): PDO
    {
        $this->connection = null;
        $this->persistence = self::persistence($this->dsn);
        $open = fn (): PDO => new PDO($this->dsn, $this->user, $this->password, [
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_TIMEOUT => self::TIMEOUT_SECONDS,
            PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
            PDO::ATTR_PERSISTENT => $this->persistence,
        ]);
        $connection = $open();
        // PDO opens a connection anew only if it knows already that the server has closed it.
        return $this->connection = self::isClosed($connection) ? $open() : $connection;
    }

    /** @param Closure(): PDO $connection returns the same one as long as it is good */
    public function changes(Closure $connection): ChangeSource
    {
        [$driver, $parameters] = explode(':', $this->dsn, 2) + ['', ''];
        if ($driver === 'sqlite') {
            return new SqliteChanges($connection);
        }
        // As PDO makes them, which does not know of semicolons in values either.
        $conninfo = strtr($parameters, ';', ' ');
        foreach (['user' => $this->user, 'password' => $this->password] as $name => $value) {
            $conninfo .= $value === null ? '' : " $name='" . addcslashes($value, "'\\") . "'";
        }
        return new PostgresqlChanges($connection, $conninfo);
    }

    /** For the end of a call: the next one must not run in its transaction. */
    public function rollBack(): void
    {
        try {
            if ($this->connection?->inTransaction()) {
                $this->connection->rollBack();
            }
        } catch (PDOException) {
            $this->connection = null;
        }
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
        $state = (string) ($error->errorInfo[0] ?? '');
        $code = $error->errorInfo[1] ?? 0;
        return preg_match(self::UNREACHABLE, $state) === 1
            || ($state === self::GENERAL_ERROR && in_array($code, self::GENERAL_UNREACHABLE, true));
    }

    /** Whether the database has given a statement up that it may have time for later. */
    public static function isBusy(PDOException $error): bool
    {
        return in_array($error->errorInfo[0] ?? '', self::BUSY, true);
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
