<?php

declare(strict_types=1);

namespace Shop;

use PDO;

/** The services on one connection to the database. */
final class Services
{
    private ?ItemStore $store = null;
    private ?ItemService $items = null;
    private ?ReservationService $reservations = null;

    public function __construct(public readonly PDO $database)
    {
    }

    public function store(): ItemStore
    {
        return $this->store ??= new ItemStore($this->database);
    }

    public function items(): ItemService
    {
        return $this->items ??= new ItemService($this->store());
    }

    public function reservations(): ReservationService
    {
        return $this->reservations ??= new ReservationService(new ReservationStore($this->database));
    }
}
