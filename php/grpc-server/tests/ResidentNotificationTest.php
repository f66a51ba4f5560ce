<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\FrameFlags;
use PgSql\Connection;

/**
 * Streaming calls of one resident worker watch a PostgreSQL database. Requires ITEM_TEST_PG_DSN, a database in which the tests
 * may notify.
 */
final class ResidentNotificationTest extends ResidentTestCase
{
    protected const SCRIPT = __DIR__ . '/notifications.php';

    private Connection $database;

    public static function setUpBeforeClass(): void
    {
        if (!getenv('ITEM_TEST_PG_DSN')) {
            self::markTestSkipped('ITEM_TEST_PG_DSN is not set: pgsql:host=HOST;dbname=NAME;user=USER');
        }
        parent::setUpBeforeClass();
    }

    /** @param array<string, string> $variables */
    protected function launch(array $variables = []): void
    {
        $database = strtr(substr(getenv('ITEM_TEST_PG_DSN'), strlen('pgsql:')), ';', ' ');
        $this->database = pg_connect($database);
        parent::launch($variables + ['DATABASE' => $database]);
    }

    public function test_each_watcher_gets_its_notifications_while_the_worker_serves_others(): void
    {
        $channels = ['first_' . bin2hex(random_bytes(4)), 'second_' . bin2hex(random_bytes(4))];
        $calls = array_map($this->watch(...), $channels);
        array_walk($calls, fn (int $call) => $this->proxy->awaitFrames($call, 1));
        self::assertSame('served', $this->execute('served'));
        foreach (['a', 'b'] as $change) {
            foreach ($channels as $channel) {
                pg_query($this->database, "NOTIFY $channel, '$change of $channel'");
            }
        }
        foreach ($channels as $i => $channel) {
            $changes = array_map(self::textOf(...), array_slice($this->proxy->awaitFrames($calls[$i], 3), 1));
            self::assertSame(["a of $channel", "b of $channel"], $changes);
        }
    }

    public function test_a_watcher_learns_that_the_database_is_gone(): void
    {
        $call = $this->watch('gone');
        $pid = (int) self::textOf($this->proxy->awaitFrames($call, 1)[0]);
        pg_query($this->database, "SELECT pg_terminate_backend($pid)");
        $this->proxy->answer($call);
        [[$flags, $trailers]] = array_slice($this->proxy->frames($call), 1);
        self::assertSame(FrameFlags::TRAILERS, $flags);
        self::assertStringContainsString("grpc-status: 14\r\n", $trailers);
    }

    private function watch(string $channel): int
    {
        return $this->proxy->call('ServerStream', ResidentProxy::SERVER_STREAM, Call::messages($channel));
    }

    /** @param array{int, string} $frame */
    private static function textOf(array $frame): string
    {
        return self::text($frame[1]);
    }
}
