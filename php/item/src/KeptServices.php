<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use PDO;

/** Keeps the services, with their prepared query, for the next calls of a resident worker, as long as their connection is good. */
final class KeptServices
{
    private ?Database $database = null;
    private ?Services $services = null;

    /** @param Closure(): Database $settings not called before a call, so that wrong settings fail the call only */
    public function __construct(private readonly Closure $settings)
    {
    }

    public function get(): Services
    {
        $this->database ??= ($this->settings)();
        if ($this->services === null || !$this->database->isConnected()) {
            $this->services = null;
            $this->services = new Services($this->database->connect());
        }
        return $this->services;
    }

    /** A new source of the changes in the database. */
    public function changes(): ChangeSource
    {
        $this->database ??= ($this->settings)();
        return $this->database->changes(fn (): PDO => $this->get()->database);
    }

    /** Runs behind each call. */
    public function afterCall(): void
    {
        $this->database?->rollBack();
    }
}
