<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use Google\Rpc\BadRequest;
use Google\Rpc\BadRequest\FieldViolation;
use Grpc\ServerCallReader;
use Grpc\ServerCallWriter;
use Grpc\ServerContext;
use Grpc\StatusException;
use Item\GetItemRequest;
use Item\Item as ItemMessage;
use Item\ItemServiceStub;
use Item\ListItemsRequest;
use Item\ListItemsResponse;
use Item\LookupItemsResponse;
use PDOException;

use const Grpc\STATUS_INTERNAL;
use const Grpc\STATUS_INVALID_ARGUMENT;
use const Grpc\STATUS_NOT_FOUND;
use const Grpc\STATUS_UNAVAILABLE;

/** Serves ItemService by gRPC: only translates messages and errors. */
final class ItemEndpoint extends ItemServiceStub
{
    /**
     * @param Closure(): ItemService $service called for each request, so that a failing database fails the call only, and one
     * that has gone away is found again
     */
    public function __construct(private readonly Closure $service)
    {
    }

    public function GetItem(GetItemRequest $request, ServerContext $context): ItemMessage
    {
        return self::translateErrors(
            fn (): ItemMessage => self::message(($this->service)()->getItem($request->getId())),
        );
    }

    public function ListItems(ListItemsRequest $request, ServerContext $context): ListItemsResponse
    {
        return self::translateErrors(function () use ($request): ListItemsResponse {
            $page = ($this->service)()->listItems($request->getPageSize(), $request->getPageToken());
            return new ListItemsResponse([
                'items' => array_map(self::message(...), $page->items),
                'next_page_token' => $page->nextPageToken,
            ]);
        });
    }

    public function LookupItems(ServerCallReader $reader, ServerCallWriter $writer, ServerContext $context): void
    {
        while (($request = $reader->read()) instanceof GetItemRequest) {
            $id = $request->getId();
            $item = self::translateErrors(fn (): ?Item => ($this->service)()->lookUpItem($id));
            // The C extension before version 5.35 refuses null.
            $found = $item === null ? [] : ['item' => self::message($item)];
            $writer->write(new LookupItemsResponse(['id' => $id] + $found));
        }
    }

    /**
     * @template T
     * @param Closure(): T $answer
     * @return T
     * @throws StatusException
     */
    private static function translateErrors(Closure $answer): mixed
    {
        try {
            return $answer();
        } catch (InvalidArgument $error) {
            $violation = new FieldViolation(['field' => $error->field, 'description' => $error->description]);
            $details = [new BadRequest(['field_violations' => [$violation]])];
            throw new StatusException(STATUS_INVALID_ARGUMENT, $error->getMessage(), $details);
        } catch (NotFound $error) {
            throw new StatusException(STATUS_NOT_FOUND, $error->getMessage());
        } catch (PDOException $error) {
            error_log('database error: ' . $error->getMessage());
            throw Database::isUnreachable($error)
                ? new StatusException(STATUS_UNAVAILABLE, 'database unreachable')
                : new StatusException(STATUS_INTERNAL, 'database error');
        }
    }

    private static function message(Item $item): ItemMessage
    {
        // The constructor would take three times as long.
        return (new ItemMessage())->setId($item->id)->setName($item->name)->setDescription($item->description);
    }
}
