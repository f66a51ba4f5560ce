<?php
// GENERATED CODE -- DO NOT EDIT!

namespace Item;

/**
 * Keeps the items for sale and their stock.
 */
class ItemServiceStub {

    /**
     * Returns an item. NOT_FOUND if it does not exist.
     * @param \Item\GetItemRequest $request client request
     * @param \Grpc\ServerContext $context server request context
     * @return \Item\Item for response data, null if if error occured
     *     initial metadata (if any) and status (if not ok) should be set to $context
     */
    public function GetItem(
        \Item\GetItemRequest $request,
        \Grpc\ServerContext $context
    ): ?\Item\Item {
        $context->setStatus(\Grpc\Status::unimplemented());
        return null;
    }

    /**
     * Returns all items, page by page.
     * @param \Item\ListItemsRequest $request client request
     * @param \Grpc\ServerContext $context server request context
     * @return \Item\ListItemsResponse for response data, null if if error occured
     *     initial metadata (if any) and status (if not ok) should be set to $context
     */
    public function ListItems(
        \Item\ListItemsRequest $request,
        \Grpc\ServerContext $context
    ): ?\Item\ListItemsResponse {
        $context->setStatus(\Grpc\Status::unimplemented());
        return null;
    }

    /**
     * Looks up items one by one: returns a response to each request, in the order of the requests. An invalid id ends the
     * call with INVALID_ARGUMENT.
     * @param \Grpc\ServerCallReader $reader read client request data of \Item\GetItemRequest
     * @param \Grpc\ServerCallWriter $writer write response data of \Item\LookupItemsResponse
     * @param \Grpc\ServerContext $context server request context
     * @return void
     */
    public function LookupItems(
        \Grpc\ServerCallReader $reader,
        \Grpc\ServerCallWriter $writer,
        \Grpc\ServerContext $context
    ): void {
        $context->setStatus(\Grpc\Status::unimplemented());
        $writer->finish();
    }

    /**
     * Creates an item. ALREADY_EXISTS if its id is taken.
     * @param \Item\CreateItemRequest $request client request
     * @param \Grpc\ServerContext $context server request context
     * @return \Item\Item for response data, null if if error occured
     *     initial metadata (if any) and status (if not ok) should be set to $context
     */
    public function CreateItem(
        \Item\CreateItemRequest $request,
        \Grpc\ServerContext $context
    ): ?\Item\Item {
        $context->setStatus(\Grpc\Status::unimplemented());
        return null;
    }

    /**
     * Changes fields of an item, and returns it. NOT_FOUND if it does not exist.
     * @param \Item\UpdateItemRequest $request client request
     * @param \Grpc\ServerContext $context server request context
     * @return \Item\Item for response data, null if if error occured
     *     initial metadata (if any) and status (if not ok) should be set to $context
     */
    public function UpdateItem(
        \Item\UpdateItemRequest $request,
        \Grpc\ServerContext $context
    ): ?\Item\Item {
        $context->setStatus(\Grpc\Status::unimplemented());
        return null;
    }

    /**
     * Returns items as they are, and again after each change, until the caller ends the call. A request replaces what is
     * watched; the end of the requests changes nothing. Changes that follow each other quickly are joined: the last one
     * always arrives.
     * @param \Grpc\ServerCallReader $reader read client request data of \Item\WatchItemsRequest
     * @param \Grpc\ServerCallWriter $writer write response data of \Item\Item
     * @param \Grpc\ServerContext $context server request context
     * @return void
     */
    public function WatchItems(
        \Grpc\ServerCallReader $reader,
        \Grpc\ServerCallWriter $writer,
        \Grpc\ServerContext $context
    ): void {
        $context->setStatus(\Grpc\Status::unimplemented());
        $writer->finish();
    }

    /**
     * Takes the items of an order from the stock: all of them, or none. Sets what the order has reserved, so the pieces of
     * an earlier revision that the order no longer needs go back. A repeated request changes nothing.
     * FAILED_PRECONDITION with the reason OUT_OF_STOCK if an item's quantity is too small for the pieces that the order does
     * not have yet, NOT_FOUND if an item of which it needs such pieces does not exist: what the order has is never refused.
     * ABORTED if it has a later revision or has been released.
     * @param \Item\ReserveItemsRequest $request client request
     * @param \Grpc\ServerContext $context server request context
     * @return \Item\ReserveItemsResponse for response data, null if if error occured
     *     initial metadata (if any) and status (if not ok) should be set to $context
     */
    public function ReserveItems(
        \Item\ReserveItemsRequest $request,
        \Grpc\ServerContext $context
    ): ?\Item\ReserveItemsResponse {
        $context->setStatus(\Grpc\Status::unimplemented());
        return null;
    }

    /**
     * Puts the items of an order back. The order can reserve nothing from then on, so a request that is late takes nothing.
     * A repeated request, or one for an order without reserved items, puts nothing back.
     * @param \Item\ReleaseItemsRequest $request client request
     * @param \Grpc\ServerContext $context server request context
     * @return \Item\ReleaseItemsResponse for response data, null if if error occured
     *     initial metadata (if any) and status (if not ok) should be set to $context
     */
    public function ReleaseItems(
        \Item\ReleaseItemsRequest $request,
        \Grpc\ServerContext $context
    ): ?\Item\ReleaseItemsResponse {
        $context->setStatus(\Grpc\Status::unimplemented());
        return null;
    }

    /**
     * Get the method descriptors of the service for server registration
     *
     * @return array of \Grpc\MethodDescriptor for the service methods
     */
    public final function getMethodDescriptors(): array
    {
        return [
            '/item.ItemService/GetItem' => new \Grpc\MethodDescriptor(
                $this,
                'GetItem',
                '\Item\GetItemRequest',
                \Grpc\MethodDescriptor::UNARY_CALL
            ),
            '/item.ItemService/ListItems' => new \Grpc\MethodDescriptor(
                $this,
                'ListItems',
                '\Item\ListItemsRequest',
                \Grpc\MethodDescriptor::UNARY_CALL
            ),
            '/item.ItemService/LookupItems' => new \Grpc\MethodDescriptor(
                $this,
                'LookupItems',
                '\Item\GetItemRequest',
                \Grpc\MethodDescriptor::BIDI_STREAMING_CALL
            ),
            '/item.ItemService/CreateItem' => new \Grpc\MethodDescriptor(
                $this,
                'CreateItem',
                '\Item\CreateItemRequest',
                \Grpc\MethodDescriptor::UNARY_CALL
            ),
            '/item.ItemService/UpdateItem' => new \Grpc\MethodDescriptor(
                $this,
                'UpdateItem',
                '\Item\UpdateItemRequest',
                \Grpc\MethodDescriptor::UNARY_CALL
            ),
            '/item.ItemService/WatchItems' => new \Grpc\MethodDescriptor(
                $this,
                'WatchItems',
                '\Item\WatchItemsRequest',
                \Grpc\MethodDescriptor::BIDI_STREAMING_CALL
            ),
            '/item.ItemService/ReserveItems' => new \Grpc\MethodDescriptor(
                $this,
                'ReserveItems',
                '\Item\ReserveItemsRequest',
                \Grpc\MethodDescriptor::UNARY_CALL
            ),
            '/item.ItemService/ReleaseItems' => new \Grpc\MethodDescriptor(
                $this,
                'ReleaseItems',
                '\Item\ReleaseItemsRequest',
                \Grpc\MethodDescriptor::UNARY_CALL
            ),
        ];
    }

}
