<?php

declare(strict_types=1);

namespace Shop;

use PDOException;

/** The connection on which changes are noticed is gone, or cannot be made. */
final class ConnectionLost extends PDOException
{
    private const CONNECTION_FAILURE = '08006';

    public function __construct(string $message)
    {
        parent::__construct($message);
        $this->errorInfo = [self::CONNECTION_FAILURE, 0, $message];
    }
}
