<?php

declare(strict_types=1);

namespace Grpc;

use Closure;

/** Wakes the calls of a resident worker that wait for it in Wait::first(). It is not kept for those that wait later. */
final class Signal
{
    /** @var array<int, Closure(): mixed> by the numbers of the calls that wait */
    private array $waiting = [];

    public function raise(): void
    {
        foreach ($this->waiting as $wake) {
            $wake();
        }
    }

    /**
     * For Wait::first().
     *
     * @internal
     * @param Closure(): mixed $wake
     */
    public function add(int $call, Closure $wake): void
    {
        $this->waiting[$call] = $wake;
    }

    /** @internal */
    public function remove(int $call): void
    {
        unset($this->waiting[$call]);
    }
}
