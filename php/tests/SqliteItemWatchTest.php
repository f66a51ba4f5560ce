<?php

declare(strict_types=1);

namespace Tests;

final class SqliteItemWatchTest extends ItemWatchTestCase
{
    use SqliteFile;
}
