<?php

declare(strict_types=1);

namespace Tests;

final class PostgresqlItemWriteTest extends ItemWriteTestCase
{
    use PostgresqlDatabase;
}
