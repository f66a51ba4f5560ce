<?php

declare(strict_types=1);

namespace Tests;

final class SqliteItemWriteTest extends ItemWriteTestCase
{
    use SqliteFile;
}
