<?php

declare(strict_types=1);

namespace Tests;

use Google\Protobuf\FieldMask;
use Google\Protobuf\Internal\Message;
use Google\Rpc\BadRequest;
use Google\Rpc\ErrorInfo;
use Google\Rpc\Status as RpcStatus;
use Google\Type\Money;
use Grpc\IncomingCall;
use Grpc\RpcServer;
use Grpc\Tests\Call;
use Grpc\Tests\RecordedOutput;
use Item\CreateItemRequest;
use Item\Item;
use Item\ReleaseItemsRequest;
use Item\ReservedItem;
use Item\ReserveItemsRequest;
use Item\UpdateItemRequest;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Shop\Database;
use Shop\ItemEndpoint;
use Shop\ItemFeed;
use Shop\Services;

/** Calls that write: from message bytes to header fields. */
final class ItemStockEndpointTest extends TestCase
{
    use SqliteFile;

    public function test_an_item_is_created_and_updated(): void
    {
        $price = new Money(['currency_code' => 'EUR', 'units' => 3, 'nanos' => 5]);
        $item = new Item(['id' => 'new', 'name' => 'a', 'description' => 'b', 'quantity' => 0, 'price' => $price]);
        self::assertEquals($item, self::item($this->call('CreateItem', new CreateItemRequest(['item' => $item]))));
        $request = new UpdateItemRequest([
            'item' => new Item(['id' => 'new', 'name' => 'ignored', 'quantity' => 7]),
            'update_mask' => new FieldMask(['paths' => ['quantity']]),
        ]);
        $item->setQuantity(7);
        self::assertEquals($item, self::item($this->call('UpdateItem', $request)));
        $request = new UpdateItemRequest(['item' => new Item(['id' => 'new', 'name' => 'c'])]);
        self::assertEquals($item->setName('c'), self::item($this->call('UpdateItem', $request)));
        $request = new UpdateItemRequest([
            'item' => new Item(['id' => 'new']),
            'update_mask' => new FieldMask(['paths' => ['*']]),
        ]);
        $emptied = self::item($this->call('UpdateItem', $request));
        self::assertFalse($emptied->hasQuantity());
        self::assertNull($emptied->getPrice());
    }

    public function test_an_order_reserves_and_releases_its_items(): void
    {
        $this->create('a', 5);
        $answer = $this->call('ReserveItems', self::reservation('order', ['a' => 3]));
        self::assertSame([['grpc-status: 0'], ''], [$answer->fields, $answer->bytes]);
        $answer = $this->call('ReleaseItems', new ReleaseItemsRequest(['order_id' => 'order']));
        self::assertSame([['grpc-status: 0'], ''], [$answer->fields, $answer->bytes]);
        $answer = $this->call('ReserveItems', self::reservation('order', ['a' => 3]));
        self::assertSame(['grpc-status: 10', 'grpc-message: released: order/order'], $answer->fields);
    }

    public function test_a_taken_id_already_exists(): void
    {
        $this->create('a', 5);
        $answer = $this->call('CreateItem', new CreateItemRequest(['item' => new Item(['id' => 'a'])]));
        self::assertSame(['grpc-status: 6', 'grpc-message: already exists: item/a'], $answer->fields);
    }

    public function test_too_little_stock_is_a_failed_precondition_for_programs(): void
    {
        $ids = array_map(static fn (int $i): string => sprintf('i%02d', $i), range(1, 25));
        foreach ($ids as $id) {
            $this->create($id, 1);
        }
        $answer = $this->call('ReserveItems', self::reservation('order', array_fill_keys($ids, 2)));
        self::assertSame('grpc-status: 9', $answer->fields[0]);
        self::assertStringEndsWith('item/i20 and 5 more', $answer->fields[1]);
        // unpack() finds the class by its descriptor, which the first use of the class loads.
        new ErrorInfo();
        $info = self::details($answer)->getDetails()[0]->unpack();
        self::assertInstanceOf(ErrorInfo::class, $info);
        self::assertSame(['OUT_OF_STOCK', 'item.ItemService'], [$info->getReason(), $info->getDomain()]);
        self::assertSame(implode(',', array_slice($ids, 0, 20)), $info->getMetadata()['item']);
    }

    public function test_missing_items_are_not_found(): void
    {
        $answer = $this->call('ReserveItems', self::reservation('order', ['x' => 1, 'y' => 1]));
        self::assertSame(['grpc-status: 5', 'grpc-message: not found: item/x, item/y'], $answer->fields);
        $request = new UpdateItemRequest(['item' => new Item(['id' => 'x', 'name' => 'a'])]);
        self::assertSame(['grpc-status: 5', 'grpc-message: not found: item/x'], $this->call('UpdateItem', $request)->fields);
    }

    /** @dataProvider invalidRequests */
    #[DataProvider('invalidRequests')]
    public function test_an_invalid_field_is_named_in_a_bad_request(string $method, Message $request, string $field): void
    {
        $answer = $this->call($method, $request);
        self::assertSame('grpc-status: 3', $answer->fields[0]);
        new BadRequest();
        $badRequest = self::details($answer)->getDetails()[0]->unpack();
        self::assertInstanceOf(BadRequest::class, $badRequest);
        self::assertSame($field, $badRequest->getFieldViolations()[0]->getField());
    }

    /** @return array<string, array{string, Message, string}> */
    public static function invalidRequests(): array
    {
        $mask = new FieldMask(['paths' => ['id']]);
        $price = new Item(['id' => 'a', 'price' => new Money()]);
        return [
            'nothing to create' => ['CreateItem', new CreateItemRequest(), 'item'],
            'no currency' => ['CreateItem', new CreateItemRequest(['item' => $price]), 'item.price.currency_code'],
            'nothing to update' => ['UpdateItem', new UpdateItemRequest(), 'item'],
            'no id' => ['UpdateItem', new UpdateItemRequest(['item' => new Item()]), 'item.id'],
            'mask' => [
                'UpdateItem', new UpdateItemRequest(['item' => new Item(['id' => 'a']), 'update_mask' => $mask]), 'update_mask',
            ],
            'line' => ['ReserveItems', self::reservation('order', ['a' => 0]), 'items[0].quantity'],
            'order' => ['ReleaseItems', new ReleaseItemsRequest(), 'order_id'],
        ];
    }

    private function create(string $id, int $quantity): void
    {
        $item = new Item(['id' => $id, 'quantity' => $quantity]);
        self::assertSame(['grpc-status: 0'], $this->call('CreateItem', new CreateItemRequest(['item' => $item]))->fields);
    }

    /** @param array<string, int> $quantities */
    private static function reservation(string $order, array $quantities): ReserveItemsRequest
    {
        $items = [];
        foreach ($quantities as $id => $quantity) {
            $items[] = new ReservedItem(['id' => $id, 'quantity' => $quantity]);
        }
        return new ReserveItemsRequest(['order_id' => $order, 'revision' => 1, 'items' => $items]);
    }

    private function call(string $method, Message $request): RecordedOutput
    {
        $services = fn (): Services => new Services(Database::open($this->dsn()));
        $server = new RpcServer();
        $server->handle(new ItemEndpoint($services, new ItemFeed($services, static fn () => self::fail('nothing is watched'))));
        $output = new RecordedOutput();
        $variables = ['REQUEST_URI' => "/item.ItemService/$method", 'GRPC_CALL_KIND' => 'unary'];
        $server->serve(new IncomingCall($variables, Call::stream($request->serializeToString())), $output);
        return $output;
    }

    private static function item(RecordedOutput $answer): Item
    {
        self::assertSame(['grpc-status: 0'], $answer->fields);
        $item = new Item();
        $item->mergeFromString($answer->bytes);
        return $item;
    }

    private static function details(RecordedOutput $answer): RpcStatus
    {
        $field = preg_grep('/^grpc-status-details-bin: /i', $answer->fields);
        $status = new RpcStatus();
        $status->mergeFromString(base64_decode(explode(': ', current($field))[1], true));
        return $status;
    }
}
