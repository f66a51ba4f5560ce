<?php

declare(strict_types=1);

namespace Shop;

/** The items that have changed last, each once: in the order of their last changes, which are numbered from 1. */
final class ChangeLog
{
    /** Who has not taken more changes than these has to read the items anew. */
    private const MAX_ITEMS = 1000;

    /** @var array<array-key, array{int, string}> the id of an item => the number of its last change, and the item then */
    private array $changes = [];
    private int $last = 0;

    /** The last change that is no longer in the log. */
    private int $forgotten = 0;

    /** @param string $item in the form that watchers receive */
    public function add(string $id, string $item): void
    {
        // Behind all others.
        unset($this->changes[$id]);
        $this->changes[$id] = [++$this->last, $item];
        if (count($this->changes) > self::MAX_ITEMS) {
            $oldest = array_key_first($this->changes);
            $this->forgotten = $this->changes[$oldest][0];
            unset($this->changes[$oldest]);
        }
    }

    /** Any item may have changed. */
    public function forget(): void
    {
        $this->changes = [];
        $this->forgotten = ++$this->last;
    }

    /** The number of the last change. */
    public function last(): int
    {
        return $this->last;
    }

    /** Whether since() would miss changes. */
    public function hasForgotten(int $number): bool
    {
        return $number < $this->forgotten;
    }

    /**
     * The changes behind a number.
     *
     * @return array<array-key, array{int, string}> the id of an item => the number of the change, and the item, in the order of
     *     the changes
     */
    public function since(int $number): array
    {
        $changes = [];
        for (end($this->changes); ($id = key($this->changes)) !== null && $this->changes[$id][0] > $number; prev($this->changes)) {
            $changes[$id] = $this->changes[$id];
        }
        return array_reverse($changes, true);
    }
}
