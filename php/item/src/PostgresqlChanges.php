<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use Grpc\ServerCallReader;
use Grpc\Wait;
use PDO;
use PgSql\Connection;

/** Listens to the notifications that the trigger of PostgresqlSchema sends, on a connection of its own. */
final class PostgresqlChanges implements ChangeSource
{
    /** A call by itself looks so often whether its client is gone. */
    private const SECONDS = 1.0;
    private const CONNECT_SECONDS = 5.0;
    private const WRITABLE_SECONDS = 0.01;

    /** Detects within half a minute that the server is gone without a word. The DSN may say otherwise. */
    private const KEEPALIVES = 'keepalives_idle=10 keepalives_interval=5 keepalives_count=3';

    private ?Connection $listener = null;

    /**
     * @param Closure(): PDO $connection for the schema
     * @param string $conninfo as libpq takes it
     */
    public function __construct(private readonly Closure $connection, private readonly string $conninfo)
    {
    }

    public function open(): void
    {
        $this->listener = $listener = self::connect(self::KEEPALIVES . " $this->conninfo");
        // Behind it: opening this one would hold the worker while the server does not answer.
        $database = ($this->connection)();
        Schema::of($database)->complete();
        self::listen($listener, PostgresqlSchema::channel($database));
    }

    public function await(?ServerCallReader $reader): array
    {
        $listener = $this->listener ?? throw new ConnectionLost('not open');
        Wait::first($reader, stream: self::socket($listener), seconds: self::SECONDS);
        $ids = [];
        while (($notification = pg_get_notify($listener, PGSQL_ASSOC) ?: null) !== null) {
            $ids[$notification['payload'] ?? ''] = true;
        }
        if (pg_connection_status($listener) !== PGSQL_CONNECTION_OK) {
            throw new ConnectionLost('the connection for notifications is lost');
        }
        return array_map(strval(...), array_keys($ids));
    }

    public function close(): void
    {
        if ($this->listener !== null) {
            pg_close($this->listener);
            $this->listener = null;
        }
    }

    /** Other calls run meanwhile. */
    private static function connect(string $conninfo): Connection
    {
        $flags = PGSQL_CONNECT_FORCE_NEW | PGSQL_CONNECT_ASYNC;
        $listener = self::quietly(static fn (): mixed => pg_connect($conninfo, $flags));
        if (!$listener instanceof Connection) {
            throw new ConnectionLost('cannot connect for notifications');
        }
        $end = hrtime(true) / 1e9 + self::CONNECT_SECONDS;
        // libpq expects each wait, the first one too, before it is asked: it would block instead.
        $state = PGSQL_POLLING_WRITING;
        while ($state !== PGSQL_POLLING_OK) {
            $left = $end - hrtime(true) / 1e9;
            if ($state === PGSQL_POLLING_FAILED || $left < 0.0) {
                throw new ConnectionLost('cannot connect for notifications: ' . pg_last_error($listener));
            }
            if ($state === PGSQL_POLLING_READING ? Wait::readable(self::socket($listener), $left) : self::isWritable($listener)) {
                $state = pg_connect_poll($listener);
            } else {
                Wait::sleep(self::WRITABLE_SECONDS);
            }
        }
        return $listener;
    }

    private static function listen(Connection $listener, string $channel): void
    {
        if (self::quietly(static fn (): mixed => pg_query($listener, "LISTEN $channel")) === false) {
            throw new ConnectionLost('cannot listen to notifications');
        }
    }

    private static function isWritable(Connection $listener): bool
    {
        $readable = $except = null;
        $writable = [self::socket($listener)];
        return self::quietly(static fn (): mixed => stream_select($readable, $writable, $except, 0, 0)) === 1;
    }

    /** @return resource */
    private static function socket(Connection $listener)
    {
        return pg_socket($listener) ?: throw new ConnectionLost('the connection for notifications is closed');
    }

    /**
     * Without the warnings of a function whose result says as much.
     *
     * @template T
     * @param Closure(): T $call
     * @return T
     */
    private static function quietly(Closure $call): mixed
    {
        set_error_handler(static fn (): bool => true);
        try {
            return $call();
        } finally {
            restore_error_handler();
        }
    }
}
