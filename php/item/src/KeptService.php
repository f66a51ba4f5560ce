<?php

declare(strict_types=1);

namespace Shop;

use Closure;

/** Keeps the service, with its prepared query, for the next calls of a resident worker, as long as its connection is good. */
final class KeptService
{
    private ?Database $database = null;
    private ?ItemService $service = null;

    /** @param Closure(): Database $settings not called before a call, so that wrong settings fail the call only */
    public function __construct(private readonly Closure $settings)
    {
    }

    public function get(): ItemService
    {
        $this->database ??= ($this->settings)();
        if ($this->service === null || !$this->database->isConnected()) {
            $this->service = null;
            $this->service = new ItemService(new ItemStore($this->database->connect()));
        }
        return $this->service;
    }

    /** Runs behind each call. */
    public function afterCall(): void
    {
        $this->database?->rollBack();
    }
}
