<?php
// GENERATED CODE -- DO NOT EDIT!

namespace Item;

/**
 * Returns the items for sale.
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
        ];
    }

}
