<?php

declare(strict_types=1);

namespace Shop;

/** Reads and writes items, independently of gRPC. Paging follows AIP-158, and updates AIP-134. */
final class ItemService
{
    private const DEFAULT_PAGE_SIZE = 50;
    private const MAX_PAGE_SIZE = 1000;

    /** By default, a client of gRPC takes no message of more than 4 MiB. */
    private const MAX_PAGE_BYTES = 3 * 1024 * 1024;

    /** More than an item takes besides its texts. */
    private const ITEM_BYTES = 100;

    /** What an update can change: the names of fields of the message, and of properties of Item. */
    private const FIELDS = ['name', 'description', 'quantity', 'price'];

    public function __construct(private readonly ItemStore $store)
    {
    }

    /**
     * @throws InvalidArgument
     * @throws NotFound
     */
    public function getItem(string $id): Item
    {
        return $this->lookUpItem($id) ?? throw new NotFound($id);
    }

    /** @throws InvalidArgument */
    public function lookUpItem(string $id): ?Item
    {
        Check::id('id', $id);
        return $this->store->find($id);
    }

    /** @throws InvalidArgument */
    public function listItems(int $pageSize, string $pageToken): ItemPage
    {
        if ($pageSize < 0) {
            throw new InvalidArgument('page_size', 'must not be negative');
        }
        $size = min($pageSize ?: self::DEFAULT_PAGE_SIZE, self::MAX_PAGE_SIZE);
        // One extra item shows whether there is a next page.
        $items = $this->store->after(PageToken::decode($pageToken), $size + 1);
        $page = self::beginning($items, $size);
        $isLast = count($page) === count($items);
        return new ItemPage($page, $isLast ? '' : PageToken::encode($page[count($page) - 1]->id));
    }

    /**
     * @param Item $item without an id, it gets a new one
     * @throws AlreadyExists
     * @throws InvalidArgument
     */
    public function createItem(Item $item): Item
    {
        if ($item->id === '') {
            $item = new Item(self::newId(), $item->name, $item->description, $item->quantity, $item->price);
        }
        Check::newId('item.id', $item->id);
        Check::item($item);
        return $this->store->create($item) ? $item : throw new AlreadyExists("item/$item->id");
    }

    /**
     * @param list<string> $paths the fields to change, or * for all; without any, those that are set
     * @throws InvalidArgument
     * @throws NotFound
     */
    public function updateItem(Item $item, array $paths): Item
    {
        Check::id('item.id', $item->id);
        Check::item($item);
        return $this->store->update($item, self::fields($item, $paths)) ?? throw new NotFound($item->id);
    }

    /**
     * @param list<Item> $items
     * @return list<Item> the first ones, as many as a page may have
     */
    private static function beginning(array $items, int $size): array
    {
        $page = [];
        $bytes = 0;
        foreach (array_slice($items, 0, $size) as $item) {
            $bytes += strlen($item->id) + strlen($item->name) + strlen($item->description) + self::ITEM_BYTES;
            if ($bytes > self::MAX_PAGE_BYTES && $page !== []) {
                break;
            }
            $page[] = $item;
        }
        return $page;
    }

    /**
     * @param list<string> $paths
     * @return list<string>
     * @throws InvalidArgument
     */
    private static function fields(Item $item, array $paths): array
    {
        if ($paths === []) {
            // Without presence, an empty text is one that is not set.
            return array_keys(array_filter([
                'name' => $item->name !== '',
                'description' => $item->description !== '',
                'quantity' => $item->quantity !== null,
                'price' => $item->price !== null,
            ]));
        }
        foreach ($paths as $path) {
            if ($path !== '*' && !in_array($path, self::FIELDS, true)) {
                $known = implode(', ', self::FIELDS);
                throw new InvalidArgument('update_mask', "must contain only $known, or *");
            }
        }
        return in_array('*', $paths, true) ? self::FIELDS : $paths;
    }

    /** A random UUID: RFC 9562, version 4. */
    private static function newId(): string
    {
        $bytes = random_bytes(16);
        $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
        $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
        return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
    }
}
