<?php

declare(strict_types=1);

namespace Grpc\Resident;

use Grpc\CallCancelled;
use Grpc\StatusException;

use const Grpc\STATUS_RESOURCE_EXHAUSTED;

/**
 * Bounds what large messages occupy while they arrive: so that calls cannot use up the worker's memory together, which would
 * end all of them.
 */
final class MessageMemory
{
    /** Of memory_limit. What has arrived is copied as it grows, and then decoded. */
    private const PART = 4;
    private const WITHOUT_LIMIT = 1 << 28;

    /** A client that stops in the middle of its message must not hold up others for longer. */
    private const WAIT_SECONDS = 3.0;

    private readonly int $limit;
    private int $taken = 0;

    /** @var array<int, Call> */
    private array $waiting = [];

    public function __construct(private readonly Scheduler $scheduler)
    {
        $memory = ini_parse_quantity((string) ini_get('memory_limit'));
        $this->limit = $memory > 0 ? intdiv($memory, self::PART) : self::WITHOUT_LIMIT;
    }

    /**
     * Takes memory for a message; waits until others have given back theirs. A message over the limit passes alone.
     *
     * @throws CallCancelled
     * @throws StatusException
     */
    public function take(Call $call, int $bytes): void
    {
        $end = hrtime(true) / 1e9 + self::WAIT_SECONDS;
        while ($this->taken > 0 && $this->taken + $bytes > $this->limit) {
            $left = $end - hrtime(true) / 1e9;
            if ($left <= 0) {
                throw new StatusException(STATUS_RESOURCE_EXHAUSTED, 'large messages of other calls occupy the memory of the worker');
            }
            $this->waiting[$call->number] = $call;
            try {
                $this->scheduler->awaitFor($call, $left, Call::MEMORY);
            } finally {
                unset($this->waiting[$call->number]);
            }
        }
        $this->taken += $bytes;
    }

    public function give(int $bytes): void
    {
        $this->taken -= $bytes;
        foreach ($this->waiting as $call) {
            $this->scheduler->wake($call, Call::MEMORY);
        }
    }
}
