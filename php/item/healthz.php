<?php

declare(strict_types=1);

use Shop\Database;
use Shop\Health;

require __DIR__ . '/../autoload.php';

[$status, $text] = Health::check(static fn (): PDO => Database::fromEnvironment()->connect());
http_response_code($status);
header('Content-Type: text/plain');
echo $text;
