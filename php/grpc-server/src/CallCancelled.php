<?php

declare(strict_types=1);

namespace Grpc;

use RuntimeException;

/**
 * The client is gone: it cancelled, its deadline is over, or its connection broke. Thrown by reads and writes, so that
 * a service ends with its finally blocks run. Nobody gets an answer.
 */
final class CallCancelled extends RuntimeException
{
}
