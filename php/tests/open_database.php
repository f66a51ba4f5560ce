<?php

declare(strict_types=1);

// Opens the database when its input ends, and prints the number of items.
require __DIR__ . '/../autoload.php';

echo "ready\n";
stream_get_contents(STDIN);
echo count((new Shop\ItemStore(Shop\Database::fromEnvironment()->connect()))->after('', 1000));
