<?php

declare(strict_types=1);

// Prints /healthz and /metrics: a bare Debian has no curl.
foreach (['/healthz', '/metrics'] as $path) {
    echo file_get_contents("http://127.0.0.1:7070$path");
}
