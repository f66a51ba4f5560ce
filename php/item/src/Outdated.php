<?php

declare(strict_types=1);

namespace Shop;

use RuntimeException;

/** The order has been changed or released since the request was made. */
final class Outdated extends RuntimeException
{
}
