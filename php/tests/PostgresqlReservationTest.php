<?php

declare(strict_types=1);

namespace Tests;

final class PostgresqlReservationTest extends ReservationTestCase
{
    use PostgresqlDatabase;
}
