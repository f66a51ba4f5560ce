<?php

declare(strict_types=1);

namespace Tests;

final class PostgresqlItemWatchTest extends ItemWatchTestCase
{
    use PostgresqlDatabase;

    public function test_what_has_changed_while_the_connections_were_lost_is_sent(): void
    {
        $watches = [$this->watch('a'), $this->watch()];
        $this->awaitItems($watches[0], ['a 0']);
        $this->awaitItems($watches[1], ['7 0', 'a 0', 'b 0']);
        $this->admin->exec(
            "UPDATE $this->schema.item SET quantity = 1;
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '$this->schema';
            UPDATE $this->schema.item SET quantity = 2",
        );
        foreach ($watches as $watch) {
            $this->awaitItem($watch, 'a 2');
        }
        // And what changes afterwards.
        $this->setQuantity('a', 3);
        foreach ($watches as $watch) {
            $this->awaitItem($watch, 'a 3');
        }
    }

    public function test_the_last_watcher_closes_the_connection(): void
    {
        $watches = [$this->watch('a'), $this->watch('a')];
        $this->awaitItems($watches[1], ['a 0']);
        self::assertSame(1, $this->countListeners());
        foreach ($watches as $watch) {
            $this->cancel($watch);
        }
        for ($i = 0; $i < 500 && $this->countListeners() > 0; $i++) {
            usleep(10_000);
        }
        self::assertSame(0, $this->countListeners());
    }

    private function countListeners(): int
    {
        $listeners = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND application_name = '$this->schema'";
        return $this->admin->query($listeners)->fetchColumn();
    }
}
