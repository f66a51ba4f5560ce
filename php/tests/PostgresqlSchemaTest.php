<?php

declare(strict_types=1);

namespace Tests;

final class PostgresqlSchemaTest extends SchemaTestCase
{
    use PostgresqlDatabase;
}
