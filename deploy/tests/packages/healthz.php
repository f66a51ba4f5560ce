<?php

declare(strict_types=1);

// Prints /healthz and /metrics, of the port in the argument: a bare Debian has no curl.
$port = $argv[1] ?? '7070';
foreach (['/healthz', '/metrics'] as $path) {
    echo file_get_contents("http://127.0.0.1:$port$path");
}
