<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use Grpc\ServerCallReader;
use Grpc\ServerCallWriter;
use Grpc\ServerContext;
use Item\CreateItemRequest;
use Item\GetItemRequest;
use Item\Item as ItemMessage;
use Item\ItemServiceStub;
use Item\ListItemsRequest;
use Item\ListItemsResponse;
use Item\LookupItemsResponse;
use Item\ReleaseItemsRequest;
use Item\ReleaseItemsResponse;
use Item\ReserveItemsRequest;
use Item\ReserveItemsResponse;
use Item\ReservedItem;
use Item\UpdateItemRequest;
use Item\WatchItemsRequest;

/** Serves ItemService by gRPC: only translates messages and errors. */
final class ItemEndpoint extends ItemServiceStub
{
    /**
     * @param Closure(): Services $services called for each request, so that a failing database fails the call only, and one
     * that has gone away is found again
     */
    public function __construct(private readonly Closure $services, private readonly ItemFeed $feed)
    {
    }

    public function GetItem(GetItemRequest $request, ServerContext $context): ItemMessage
    {
        return Errors::translate(
            fn (): ItemMessage => Messages::message(($this->services)()->items()->getItem($request->getId())),
        );
    }

    public function ListItems(ListItemsRequest $request, ServerContext $context): ListItemsResponse
    {
        return Errors::translate(function () use ($request): ListItemsResponse {
            $page = ($this->services)()->items()->listItems($request->getPageSize(), $request->getPageToken());
            return new ListItemsResponse([
                'items' => array_map(Messages::message(...), $page->items),
                'next_page_token' => $page->nextPageToken,
            ]);
        });
    }

    public function LookupItems(ServerCallReader $reader, ServerCallWriter $writer, ServerContext $context): void
    {
        while (($request = $reader->read()) instanceof GetItemRequest) {
            $id = $request->getId();
            $item = Errors::translate(fn (): ?Item => ($this->services)()->items()->lookUpItem($id));
            // The C extension before version 5.35 refuses null.
            $found = $item === null ? [] : ['item' => Messages::message($item)];
            $writer->write(new LookupItemsResponse(['id' => $id] + $found));
        }
    }

    public function CreateItem(CreateItemRequest $request, ServerContext $context): ItemMessage
    {
        return Errors::translate(function () use ($request): ItemMessage {
            $item = Messages::item($request->getItem());
            return Messages::message(($this->services)()->items()->createItem($item));
        });
    }

    public function UpdateItem(UpdateItemRequest $request, ServerContext $context): ItemMessage
    {
        return Errors::translate(function () use ($request): ItemMessage {
            $item = Messages::item($request->getItem());
            /** @var list<string> $paths */
            $paths = iterator_to_array($request->getUpdateMask()?->getPaths() ?? [], false);
            return Messages::message(($this->services)()->items()->updateItem($item, $paths));
        });
    }

    public function WatchItems(ServerCallReader $reader, ServerCallWriter $writer, ServerContext $context): void
    {
        $context->endWithWorker();
        $request = $reader->read();
        if (!$request instanceof WatchItemsRequest) {
            return;
        }
        $watch = new Watch(self::watchedIds($request));
        $writer->start();
        $this->feed->join();
        try {
            $this->watch($watch, $reader, $writer, $context);
        } finally {
            $this->feed->leave($watch);
        }
    }

    public function ReserveItems(ReserveItemsRequest $request, ServerContext $context): ReserveItemsResponse
    {
        return Errors::translate(function () use ($request): ReserveItemsResponse {
            /** @var iterable<ReservedItem> $items */
            $items = $request->getItems();
            ($this->services)()->reservations()
                ->reserveItems($request->getOrderId(), (int) $request->getRevision(), Messages::lines($items));
            return new ReserveItemsResponse();
        });
    }

    public function ReleaseItems(ReleaseItemsRequest $request, ServerContext $context): ReleaseItemsResponse
    {
        return Errors::translate(function () use ($request): ReleaseItemsResponse {
            ($this->services)()->reservations()->releaseItems($request->getOrderId());
            return new ReleaseItemsResponse();
        });
    }

    /** @param ServerCallReader|null $reader null once the client has ended its requests */
    private function watch(Watch $watch, ?ServerCallReader $reader, ServerCallWriter $writer, ServerContext $context): void
    {
        while (!$context->cancelled()) {
            if ($reader !== null && $reader->ready()) {
                // The rest of the message may take long.
                $this->feed->passLead($watch);
                $request = $reader->read();
                if ($request instanceof WatchItemsRequest) {
                    $watch->watch(self::watchedIds($request));
                } else {
                    $reader = null;
                }
            }
            foreach (Errors::translate(/** @return list<string> */ fn (): array => $this->feed->take($watch)) as $item) {
                $writer->writeSerialized($item);
            }
            Errors::translate(fn (): mixed => $this->feed->await($watch, $reader));
        }
    }

    /** @return list<string> */
    private static function watchedIds(WatchItemsRequest $request): array
    {
        /** @var list<string> $ids */
        $ids = iterator_to_array($request->getIds(), false);
        Errors::translate(static fn (): mixed => Check::ids('ids', $ids));
        return $ids;
    }
}
