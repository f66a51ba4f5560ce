<?php

declare(strict_types=1);

namespace Grpc\Resident;

use RuntimeException;

/** The proxy has sent what the binding does not allow, so the connection cannot be used any more. */
final class ProtocolError extends RuntimeException
{
}
