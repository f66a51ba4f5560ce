<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use Google\Protobuf\Any;
use Google\Rpc\BadRequest;
use Google\Rpc\BadRequest\FieldViolation;
use Google\Rpc\Status as RpcStatus;
use Grpc\ServerContext;
use Grpc\Status;
use Item\GetItemRequest;
use Item\Item as ItemMessage;
use Item\ItemServiceStub;
use Item\ListItemsRequest;
use Item\ListItemsResponse;

/** Serves ItemService as gRPC: translates messages and errors, nothing else. */
final class ItemEndpoint extends ItemServiceStub
{
    /** @param Closure(): ItemService $service called for calls only, so that a dead database fails a call, not PHP */
    public function __construct(private readonly Closure $service)
    {
    }

    public function GetItem(GetItemRequest $request, ServerContext $context): ?ItemMessage
    {
        return self::translateErrors(
            $context,
            fn (): ItemMessage => self::message(($this->service)()->getItem($request->getId())),
        );
    }

    public function ListItems(ListItemsRequest $request, ServerContext $context): ?ListItemsResponse
    {
        return self::translateErrors($context, function () use ($request): ListItemsResponse {
            $page = ($this->service)()->listItems($request->getPageSize(), $request->getPageToken());
            return new ListItemsResponse([
                'items' => array_map(self::message(...), $page->items),
                'next_page_token' => $page->nextPageToken,
            ]);
        });
    }

    /**
     * @template T
     * @param Closure(): T $answer
     * @return T|null
     */
    private static function translateErrors(ServerContext $context, Closure $answer): mixed
    {
        try {
            return $answer();
        } catch (InvalidArgument $error) {
            $context->setStatus(self::invalidArgument($error));
        } catch (NotFound $error) {
            $context->setStatus(Status::status(\Grpc\STATUS_NOT_FOUND, $error->getMessage()));
        }
        return null;
    }

    /** @return array{code: int, details: string, metadata: array<string, list<string>>} */
    private static function invalidArgument(InvalidArgument $error): array
    {
        $violation = new FieldViolation(['field' => $error->field, 'description' => $error->description]);
        $detail = new Any();
        $detail->pack(new BadRequest(['field_violations' => [$violation]]));
        $status = new RpcStatus([
            'code' => \Grpc\STATUS_INVALID_ARGUMENT,
            'message' => $error->getMessage(),
            'details' => [$detail],
        ]);
        return Status::status(
            \Grpc\STATUS_INVALID_ARGUMENT,
            $error->getMessage(),
            [Status::DETAILS_KEY => [$status->serializeToString()]],
        );
    }

    private static function message(Item $item): ItemMessage
    {
        return new ItemMessage([
            'id' => $item->id,
            'name' => $item->name,
            'description' => $item->description,
        ]);
    }
}
