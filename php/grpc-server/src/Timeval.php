<?php

declare(strict_types=1);

namespace Grpc;

/** A point in time or a time span in microseconds, compatible with the grpc extension's class. */
final class Timeval
{
    public function __construct(private readonly int $microseconds)
    {
    }

    public static function now(): self
    {
        return new self((int) (microtime(true) * 1e6));
    }

    public static function zero(): self
    {
        return new self(0);
    }

    public static function infFuture(): self
    {
        return new self(PHP_INT_MAX);
    }

    public static function infPast(): self
    {
        return new self(PHP_INT_MIN);
    }

    /** @return int less than 0 if $a is before $b, greater than 0 if it is after $b, 0 if they are equal */
    public static function compare(self $a, self $b): int
    {
        return $a->microseconds <=> $b->microseconds;
    }

    /** Whether the difference is at most $threshold. */
    public static function similar(self $a, self $b, self $threshold): bool
    {
        return abs($a->microseconds - $b->microseconds) <= $threshold->microseconds;
    }

    public function add(self $other): self
    {
        return $this->plus($other->microseconds);
    }

    public function subtract(self $other): self
    {
        return $this->plus(-$other->microseconds);
    }

    public function sleepUntil(): void
    {
        while (($left = $this->microseconds - self::now()->microseconds) > 0) {
            usleep(min($left, 1_000_000));
        }
    }

    /** @param int|float $microseconds a float beyond the range of an int */
    private function plus(int|float $microseconds): self
    {
        if ($this->microseconds === PHP_INT_MAX || $this->microseconds === PHP_INT_MIN) {
            return $this;
        }
        $sum = $this->microseconds + $microseconds;
        return new self(is_int($sum) ? $sum : ($sum > 0 ? PHP_INT_MAX : PHP_INT_MIN));
    }
}
