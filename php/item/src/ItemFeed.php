<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use Grpc\CallCancelled;
use Grpc\ServerCallReader;
use Grpc\Wait;
use PDOException;
use Throwable;

/**
 * Gives changes of items to all watches of this process. One of their calls waits for the database, reads what has changed, and
 * wakes those that watch it; the others only wait to be woken. A call that goes on to read or write passes that on: the client may
 * take long.
 */
final class ItemFeed
{
    /** Changes within this time after others are joined. */
    private const JOIN_SECONDS = 0.2;

    /** More are not read one by one: each call reads anew what it watches. */
    private const MAX_CHANGES = 1000;

    private const PATIENCE_SECONDS = 30.0;

    private readonly ChangeLog $log;

    /** Null unless it is open. */
    private ?ChangeSource $source = null;

    /** Of the source, and of reading items. */
    private readonly Patience $listening;
    private readonly Patience $reading;

    /** Whose call waits for the database. */
    private ?Watch $leader = null;

    /** @var array<int, Watch> whose calls wait to be woken */
    private array $followers = [];
    private int $watches = 0;
    private float $lookAt = 0.0;

    /**
     * @param Closure(): Services $services
     * @param Closure(): ChangeSource $changes returns a new one
     * @param float $patienceSeconds how long the database may be unreachable
     */
    public function __construct(
        private readonly Closure $services,
        private readonly Closure $changes,
        float $patienceSeconds = self::PATIENCE_SECONDS,
    ) {
        $this->log = new ChangeLog();
        $this->listening = new Patience($patienceSeconds);
        $this->reading = new Patience($patienceSeconds);
    }

    public function join(): void
    {
        $this->watches++;
    }

    public function leave(Watch $watch): void
    {
        $this->watches--;
        $this->passLead($watch);
        if ($this->watches === 0) {
            $this->close();
            // Nobody has been waiting from here on.
            $this->listening->reset();
            $this->reading->reset();
        }
    }

    /**
     * @return list<string> what the call is to send now, in the form that watchers receive
     * @throws PDOException if the database has been unreachable for long
     */
    public function take(Watch $watch): array
    {
        if (!$this->isDue($watch) || $this->reading->pause() > 0.0) {
            return [];
        }
        try {
            $items = $watch->take($this->log, ($this->services)()->store());
            $this->reading->reset();
        } catch (PDOException $error) {
            $this->reading->failed($error);
            return [];
        }
        if ($items !== []) {
            $this->passLead($watch);
        }
        return $items;
    }

    /**
     * Waits until take() may return something, or a message of the reader has arrived; in a call by itself for about a second at
     * most.
     *
     * @throws CallCancelled
     * @throws PDOException if the database has been unreachable for long
     */
    public function await(Watch $watch, ?ServerCallReader $reader): void
    {
        $this->listening->check();
        if ($this->isDue($watch)) {
            $this->passLead($watch);
            $this->pause($reader, $this->reading->pause());
            return;
        }
        $this->leader ??= $watch;
        if ($this->leader === $watch) {
            $this->lead($reader);
        } else {
            $this->follow($watch, $reader);
        }
    }

    /** Lets another call wait for the database, if none does but that of $watch: for a call that is about to do something else. */
    public function passLead(Watch $watch): void
    {
        if ($this->leader === null || $this->leader === $watch) {
            $this->leader = null;
            $next = array_key_first($this->followers);
            if ($next !== null) {
                $this->followers[$next]->signal->raise();
            }
        }
    }

    /** Whatever it reads while nothing is open could change without notice. */
    private function isDue(Watch $watch): bool
    {
        return $this->source !== null && $watch->isDue($this->log);
    }

    private function lead(?ServerCallReader $reader): void
    {
        $pause = max($this->listening->pause(), $this->lookAt - hrtime(true) / 1e9);
        if ($pause > 0.0) {
            $this->pause($reader, $pause);
            return;
        }
        try {
            if ($this->source === null) {
                $this->open();
            } else {
                $this->distribute($this->source->await($reader));
            }
            $this->listening->reset();
        } catch (PDOException $error) {
            $this->close();
            try {
                $this->listening->failed($error);
            } catch (PDOException $error) {
                // Their patience is at its end, too.
                $this->wakeFollowers();
                throw $error;
            }
        }
    }

    private function follow(Watch $watch, ?ServerCallReader $reader): void
    {
        $key = spl_object_id($watch);
        $this->followers[$key] = $watch;
        try {
            Wait::first($reader, $watch->signal);
        } finally {
            unset($this->followers[$key]);
        }
    }

    private function pause(?ServerCallReader $reader, float $seconds): void
    {
        if ($seconds > 0.0) {
            Wait::first($reader, seconds: $seconds);
        }
    }

    private function open(): void
    {
        $source = ($this->changes)();
        $source->open();
        $this->source = $source;
        $this->log->forget();
        $this->wakeFollowers();
    }

    private function close(): void
    {
        $this->source?->close();
        $this->source = null;
    }

    /** @param list<string> $ids of changed items */
    private function distribute(array $ids): void
    {
        if ($ids === []) {
            return;
        }
        $this->lookAt = hrtime(true) / 1e9 + self::JOIN_SECONDS;
        if (count($ids) > self::MAX_CHANGES) {
            $this->log->forget();
            $this->wakeFollowers();
            return;
        }
        $last = $this->log->last();
        try {
            foreach (($this->services)()->store()->findAll($ids) as $item) {
                $this->log->add($item->id, Messages::message($item)->serializeToString());
            }
        } catch (Throwable $error) {
            // The source does not tell of these changes again.
            $this->log->forget();
            $this->wakeFollowers();
            throw $error;
        }
        foreach ($this->followers as $follower) {
            $follower->watchesAny($ids) ? $follower->signal->raise() : $follower->skip($last, $this->log->last());
        }
    }

    private function wakeFollowers(): void
    {
        foreach ($this->followers as $follower) {
            $follower->signal->raise();
        }
    }
}
