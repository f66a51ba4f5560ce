<?php

declare(strict_types=1);

namespace Tests;

final class SqliteReservationTest extends ReservationTestCase
{
    use SqliteFile;
}
