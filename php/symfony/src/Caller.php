<?php

declare(strict_types=1);

namespace App;

use Symfony\Contracts\Service\ResetInterface;

/** Who calls: state of a call in a service, as Symfony's token storage has it. */
final class Caller implements ResetInterface
{
    public string $name = '';

    public function reset(): void
    {
        $this->name = '';
    }
}
