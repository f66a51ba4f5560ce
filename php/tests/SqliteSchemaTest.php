<?php

declare(strict_types=1);

namespace Tests;

final class SqliteSchemaTest extends SchemaTestCase
{
    use SqliteFile;
}
