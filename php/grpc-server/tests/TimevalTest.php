<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\Timeval;
use PHPUnit\Framework\TestCase;

final class TimevalTest extends TestCase
{
    public function test_adds_and_subtracts_spans(): void
    {
        $sum = (new Timeval(5))->add(new Timeval(7));
        self::assertSame(0, Timeval::compare(new Timeval(12), $sum));
        self::assertSame(0, Timeval::compare(new Timeval(5), $sum->subtract(new Timeval(7))));
        self::assertSame(-1, Timeval::compare(Timeval::zero(), $sum));
        self::assertSame(1, Timeval::compare($sum, Timeval::zero()));
    }

    public function test_it_saturates_at_infinity(): void
    {
        self::assertEquals(Timeval::infFuture(), Timeval::infFuture()->subtract(Timeval::now()));
        self::assertEquals(Timeval::infPast(), Timeval::infPast()->add(Timeval::now()));
        self::assertEquals(Timeval::infFuture(), Timeval::now()->add(Timeval::infFuture()));
        self::assertEquals(Timeval::infPast(), Timeval::now()->subtract(Timeval::infFuture())->subtract(Timeval::infFuture()));
    }

    public function test_times_within_the_threshold_are_similar(): void
    {
        self::assertTrue(Timeval::similar(new Timeval(5), new Timeval(8), new Timeval(3)));
        self::assertFalse(Timeval::similar(new Timeval(5), new Timeval(8), new Timeval(2)));
    }

    public function test_it_sleeps_until_the_point_in_time(): void
    {
        $time = Timeval::now()->add(new Timeval(20_000));
        $time->sleepUntil();
        self::assertGreaterThanOrEqual(0, Timeval::compare(Timeval::now(), $time));
        Timeval::infPast()->sleepUntil();
    }
}
