<?php

declare(strict_types=1);

namespace Grpc\Resident;

use Closure;
use Fiber;
use Grpc\CallCancelled;
use Grpc\Log;
use Grpc\StatusException;
use LogicException;
use SplQueue;

use const Grpc\STATUS_UNAVAILABLE;

/** Runs the calls of a worker in fibers, one at a time, each until it waits for something. */
final class Scheduler
{
    /** A call that could go on gives the others a turn after this time. */
    private const TURN_NANOSECONDS = 5_000_000;

    private const SHORT_TURN_NANOSECONDS = 200_000;

    /** A handler that holds its worker for longer is logged. */
    private const HELD_NANOSECONDS = 1_000_000_000;

    /** How often a handler that does not wait looks for its cancellation. */
    private const LOOK_NANOSECONDS = 50_000_000;

    /** A fiber is used again: to create one takes longer than a small call. */
    private const MAX_IDLE_FIBERS = 64;

    private static ?self $active = null;

    /** The call that runs now. */
    public ?Call $current = null;

    /** Since when it runs. */
    public int $turnBegan = 0;

    /** For how long calls have run. */
    public int $busyNanoseconds = 0;

    /** Set when the script ends: nothing can wait any more. */
    public bool $ending = false;

    /** Set when the worker gets no more calls. */
    public bool $retired = false;

    /** @var SplQueue<Call> */
    private SplQueue $ready;

    /** @var list<Fiber> */
    private array $idle = [];

    /** @var array<int, float> the number of a call => when it wakes */
    private array $timers = [];
    private float $nextTimer = INF;

    /** @var array<int, Call> */
    private array $waiting = [];

    /** @var array<int, resource> the number of a call => the stream that it waits for */
    private array $streams = [];

    /** How long it had run at its last look. */
    private int $turnTook = 0;
    private int $looked = 0;

    /**
     * @param Closure(Call): void $serve throws nothing
     * @param Closure(float=): void $receive waits, at most so many seconds, for the proxy, a stream or a timer, and takes what comes
     * @param Closure(Call): void $before runs before the code of a call
     * @param Closure(int): void $after runs after it; takes the time
     */
    public function __construct(
        private readonly Closure $serve,
        private readonly Closure $receive,
        private readonly Closure $before,
        private readonly Closure $after,
    ) {
        $this->ready = new SplQueue();
        self::$active = $this;
    }

    /** The scheduler of the call that runs now; null in a call by itself. */
    public static function active(): ?self
    {
        return self::$active?->current === null ? null : self::$active;
    }

    /** Runs a call until it waits for the first time. */
    public function start(Call $call): void
    {
        $call->fiber = array_pop($this->idle) ?? new Fiber($this->runCalls(...));
        $this->run($call);
    }

    /** Runs it in its turn. */
    public function enqueue(Call $call): void
    {
        $call->suspended = true;
        $this->ready->enqueue($call);
    }

    public function hasReady(): bool
    {
        return !$this->ready->isEmpty();
    }

    /** Runs the calls that wait for nothing, but not for long. */
    public function runReady(): void
    {
        $ran = 0;
        for ($left = count($this->ready); $left > 0 && $ran <= self::TURN_NANOSECONDS; $left--) {
            $call = $this->ready->dequeue();
            // One that was woken in a fiber of the service's own went on at once, and may wait for something else by now.
            if ($call->suspended && $call->waitsFor === 0) {
                $call->suspended = false;
                $before = $this->busyNanoseconds;
                $call->fiber === null ? $this->start($call) : $this->run($call);
                $ran += $this->busyNanoseconds - $before;
            }
        }
    }

    /** Whether the call that runs is expected to wait soon, so that what it sends need not be written at once. */
    public function waitsSoon(Call $call): bool
    {
        return $call->isQuick() && $this->turnTook < self::SHORT_TURN_NANOSECONDS;
    }

    public function wake(Call $call, int $by): void
    {
        if (($call->waitsFor & $by) !== 0) {
            $call->waitsFor = 0;
            $call->wokenBy = $by;
            $this->ready->enqueue($call);
        }
    }

    /**
     * Waits for something that wake() reports; runs other calls meanwhile.
     *
     * @throws CallCancelled
     * @throws StatusException
     */
    public function suspend(Call $call, int $for): void
    {
        self::check($call);
        if (($for & Call::CREDIT) === 0) {
            $this->checkWorker($call);
        }
        if ($this->ending) {
            throw new CallCancelled('the script ends');
        }
        $call->waitsFor = $for;
        if (Fiber::getCurrent() === $call->fiber) {
            $call->suspended = true;
            Fiber::suspend();
        } else {
            // A fiber of the service's own is not ours to suspend, so the worker waits.
            while ($call->waitsFor !== 0) {
                ($this->receive)();
            }
        }
        self::check($call);
        if (($for & Call::CREDIT) === 0) {
            $this->checkWorker($call);
        }
    }

    /**
     * For a call between two frames of its answer, so that its status can follow.
     *
     * @throws StatusException if the call ends with its worker, and the worker is to end
     */
    public function checkWorker(Call $call): void
    {
        if ($this->retired && $call->endsWithWorker) {
            throw new StatusException(STATUS_UNAVAILABLE, "the application's worker is being replaced");
        }
    }

    /**
     * Lets other calls run if this one has run for long.
     *
     * @throws CallCancelled
     */
    public function giveTurn(Call $call): void
    {
        self::check($call);
        $this->turnTook = (int) hrtime(true) - $this->turnBegan;
        if ($this->turnTook > self::TURN_NANOSECONDS && Fiber::getCurrent() === $call->fiber && !$this->ending) {
            $call->waitsFor = Call::TURN;
            $this->wake($call, Call::TURN);
            $call->suspended = true;
            Fiber::suspend();
            self::check($call);
        }
    }

    /** @param array<int, Call> $calls those that run: no more will come */
    public function retire(array $calls): void
    {
        $this->retired = true;
        foreach ($calls as $call) {
            if ($call->endsWithWorker) {
                $this->wake($call, Call::ANYTHING);
            }
        }
    }

    /** For a handler that runs without waiting: takes what the proxy has sent. */
    public function lookForCancellation(Call $call): void
    {
        $now = (int) hrtime(true);
        if (!$call->cancelled && !$this->ending && $now - max($this->looked, $this->turnBegan) > self::LOOK_NANOSECONDS) {
            $this->looked = $now;
            ($this->receive)(0.0);
        }
    }

    /**
     * Waits for a time, for a stream, for something else that wake() reports, or for the first of these.
     *
     * @param resource|null $stream
     * @return bool false if the time has passed
     * @throws CallCancelled
     */
    public function await(float $seconds, $stream = null, int $for = 0): bool
    {
        $call = $this->current ?? throw new LogicException('no call runs');
        if ($stream !== null) {
            $this->streams[$call->number] = $stream;
        }
        try {
            $this->awaitFor($call, $seconds, Call::STREAM | $for);
        } finally {
            unset($this->streams[$call->number]);
        }
        return $call->wokenBy !== Call::TIME;
    }

    /**
     * Waits for something that wake() reports, but not for longer than this.
     *
     * @throws CallCancelled
     */
    public function awaitFor(Call $call, float $seconds, int $for): void
    {
        $this->waiting[$call->number] = $call;
        if ($seconds !== INF) {
            $at = hrtime(true) / 1e9 + $seconds;
            $this->timers[$call->number] = $at;
            $this->nextTimer = min($this->nextTimer, $at);
        }
        try {
            $this->suspend($call, Call::TIME | $for);
        } finally {
            unset($this->waiting[$call->number], $this->timers[$call->number]);
        }
    }

    /** @return float the seconds until a timer is due, at most $most */
    public function secondsToWait(float $most): float
    {
        return $this->timers === [] ? $most : max(0.0, min($most, $this->nextTimer - hrtime(true) / 1e9));
    }

    /** @return array<int, resource> the streams that calls wait for */
    public function streams(): array
    {
        foreach ($this->streams as $number => $stream) {
            if (!is_resource($stream)) {
                // Closed meanwhile: its reader finds that out.
                $this->streamReady($number);
            }
        }
        return $this->streams;
    }

    public function streamReady(int $number): void
    {
        unset($this->streams[$number]);
        $this->wake($this->waiting[$number], Call::STREAM);
    }

    public function wakeTimers(): void
    {
        $now = hrtime(true) / 1e9;
        if ($now < $this->nextTimer) {
            return;
        }
        $this->nextTimer = INF;
        foreach ($this->timers as $number => $at) {
            if ($at <= $now) {
                unset($this->timers[$number]);
                $this->wake($this->waiting[$number], Call::TIME);
            } else {
                $this->nextTimer = min($this->nextTimer, $at);
            }
        }
    }

    /** Until the next call that it runs, this returns that nothing runs: for a worker that is at its end. */
    public function stop(): void
    {
        self::$active = null;
    }

    private function run(Call $call): void
    {
        ($this->before)($call);
        $this->current = $call;
        $this->turnBegan = (int) hrtime(true);
        $this->turnTook = 0;
        $fiber = $call->fiber ?? throw new LogicException('a call without a fiber');
        $fiber->isStarted() ? $fiber->resume($call) : $fiber->start($call);
        $now = (int) hrtime(true);
        $held = $now - $this->turnBegan;
        $this->busyNanoseconds += $held;
        $call->shortTurns = $held < self::SHORT_TURN_NANOSECONDS ? $call->shortTurns + 1 : 0;
        if ($held > self::HELD_NANOSECONDS) {
            Log::warning(sprintf('%s has held its worker for %.1f s', $call->method, $held / 1e9));
        }
        ($this->after)($now);
        $this->current = null;
    }

    private function runCalls(Call $call): void
    {
        while (true) {
            ($this->serve)($call);
            if ($call->fiber === null || count($this->idle) >= self::MAX_IDLE_FIBERS) {
                return;
            }
            $this->idle[] = $call->fiber;
            $call->fiber = null;
            $call = null;
            /** @var Call $call */
            $call = Fiber::suspend();
        }
    }

    /** @throws CallCancelled */
    private static function check(Call $call): void
    {
        if ($call->cancelled) {
            throw new CallCancelled('the client is gone');
        }
    }
}
