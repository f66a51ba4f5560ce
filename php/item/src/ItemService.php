<?php

declare(strict_types=1);

namespace Shop;

/** Reads and lists items, independently of gRPC. Paging follows AIP-158. */
final class ItemService
{
    private const DEFAULT_PAGE_SIZE = 50;
    private const MAX_PAGE_SIZE = 1000;

    /** Error messages, which are sent in a header field, repeat the id. */
    private const MAX_ID_BYTES = 255;

    public function __construct(private readonly ItemStore $store)
    {
    }

    /**
     * @throws InvalidArgument
     * @throws NotFound
     */
    public function getItem(string $id): Item
    {
        return $this->lookUpItem($id) ?? throw new NotFound("item/$id");
    }

    /** @throws InvalidArgument */
    public function lookUpItem(string $id): ?Item
    {
        self::checkId($id);
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
        if (count($items) <= $size) {
            return new ItemPage($items, '');
        }
        $page = array_slice($items, 0, $size);
        return new ItemPage($page, PageToken::encode($page[$size - 1]->id));
    }

    private static function checkId(string $id): void
    {
        if (!preg_match('/^[A-Za-z0-9]/', $id)) {
            throw new InvalidArgument('id', 'must begin with a letter or a digit');
        }
        if (strlen($id) > self::MAX_ID_BYTES) {
            throw new InvalidArgument('id', sprintf('must not be longer than %d bytes', self::MAX_ID_BYTES));
        }
        // PHP's protobuf runtime accepts both; PostgreSQL rejects them.
        if (!mb_check_encoding($id, 'UTF-8') || str_contains($id, "\0")) {
            throw new InvalidArgument('id', 'must be UTF-8 without NUL');
        }
    }
}
