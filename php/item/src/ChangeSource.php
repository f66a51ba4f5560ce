<?php

declare(strict_types=1);

namespace Shop;

use Grpc\CallCancelled;
use Grpc\ServerCallReader;
use PDOException;

/** Tells which items have changed in the database, whoever has changed them. */
interface ChangeSource
{
    /**
     * From here on, no change is missed until it fails.
     *
     * @throws CallCancelled
     * @throws PDOException
     */
    public function open(): void;

    /**
     * Waits for changes, for about a second at most, or until a message of the reader has arrived.
     *
     * @return list<string> the ids of changed items
     * @throws CallCancelled
     * @throws PDOException if changes may have been missed, or the database does not answer
     */
    public function await(?ServerCallReader $reader): array;

    public function close(): void;
}
