<?php

declare(strict_types=1);

namespace Shop;

use Grpc\Signal;

/** What a call watches, and how much of it the call has been given. */
final class Watch
{
    private const PAGE_SIZE = 100;

    /** What a call is given at once stays in memory until its client has taken it. */
    private const MAX_BYTES = 65_536;

    /** Raised when the call may have something to do. */
    public readonly Signal $signal;

    /** The number of the last change that the call has been given; null before it has been given the items as they are. */
    private ?int $taken = null;

    /** The last id of the items that are being read; null if all have been. */
    private ?string $readTo = null;

    /** @var array<string, true> */
    private array $ids;

    /** @param list<string> $ids none to watch all items */
    public function __construct(array $ids)
    {
        $this->signal = new Signal();
        $this->watch($ids);
    }

    /** @param list<string> $ids none to watch all items */
    public function watch(array $ids): void
    {
        $this->ids = array_fill_keys($ids, true);
        ksort($this->ids, SORT_STRING);
        $this->taken = null;
        $this->readTo = null;
    }

    /** @param list<string> $ids */
    public function watchesAny(array $ids): bool
    {
        if ($this->ids === []) {
            return true;
        }
        foreach ($ids as $id) {
            if (isset($this->ids[$id])) {
                return true;
            }
        }
        return false;
    }

    /** Whether take() would return anything. */
    public function isDue(ChangeLog $log): bool
    {
        return $this->taken === null || $this->readTo !== null || $this->taken < $log->last();
    }

    /** Tells that the changes between these two are of other items. */
    public function skip(int $from, int $to): void
    {
        if ($this->taken === $from) {
            $this->taken = $to;
        }
    }

    /**
     * Takes what the call is to be given next: a page of the items as they are, or what has changed since.
     *
     * @return list<string> items in the form that watchers receive
     */
    public function take(ChangeLog $log, ItemStore $store): array
    {
        if ($this->readTo === null && ($this->taken === null || $log->hasForgotten($this->taken))) {
            // Before reading: a change meanwhile is given afterwards.
            $this->taken = $log->last();
            $this->readTo = '';
        }
        if ($this->readTo !== null) {
            return $this->read($store, $this->readTo);
        }
        return $this->changes($log, (int) $this->taken);
    }

    /** @return list<string> */
    private function changes(ChangeLog $log, int $after): array
    {
        $last = $log->last();
        $taken = [];
        $bytes = 0;
        foreach ($log->since($after) as $id => [$number, $item]) {
            if ($this->ids !== [] && !isset($this->ids[$id])) {
                continue;
            }
            $taken[] = $item;
            $bytes += strlen($item);
            if ($bytes >= self::MAX_BYTES) {
                $last = $number;
                break;
            }
        }
        $this->taken = $last;
        return $taken;
    }

    /** @return list<string> */
    private function read(ItemStore $store, string $after): array
    {
        if ($this->ids === []) {
            $items = $store->after($after, self::PAGE_SIZE);
            $this->readTo = count($items) < self::PAGE_SIZE ? null : $items[self::PAGE_SIZE - 1]->id;
        } else {
            $ids = $this->idsAfter($after);
            $items = $store->findAll($ids);
            $this->readTo = count($ids) < self::PAGE_SIZE ? null : $ids[self::PAGE_SIZE - 1];
        }
        $read = [];
        $bytes = 0;
        foreach ($items as $item) {
            $read[] = $message = Messages::message($item)->serializeToString();
            $bytes += strlen($message);
            if ($bytes >= self::MAX_BYTES) {
                $this->readTo = $item->id;
                break;
            }
        }
        return $read;
    }

    /** @return list<string> */
    private function idsAfter(string $after): array
    {
        $ids = array_map(strval(...), array_keys($this->ids));
        $behind = array_filter($ids, static fn (string $id): bool => strcmp($id, $after) > 0);
        return array_slice(array_values($behind), 0, self::PAGE_SIZE);
    }
}
