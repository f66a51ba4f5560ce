<?php

declare(strict_types=1);

namespace Grpc;

use RuntimeException;

/**
 * The client is gone: it cancelled the call, its deadline has expired, or its connection broke. Reads and writes throw
 * this, so that the finally blocks of a service run. No answer is sent.
 */
final class CallCancelled extends RuntimeException
{
}
