<?php

declare(strict_types=1);

namespace Tests;

use Closure;
use Google\Protobuf\Internal\Message;
use Google\Rpc\BadRequest;
use Google\Rpc\Status as RpcStatus;
use Grpc\FrameFlags;
use Grpc\IncomingCall;
use Grpc\RpcServer;
use Grpc\Tests\Call;
use Grpc\Tests\CapturedLog;
use Grpc\Tests\Frames;
use Grpc\Tests\RecordedOutput;
use Item\GetItemRequest;
use Item\Item;
use Item\ListItemsRequest;
use Item\ListItemsResponse;
use Item\LookupItemsResponse;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use RuntimeException;
use Shop\Database;
use Shop\ItemEndpoint;
use Shop\ItemFeed;
use Shop\Services;

/** Calls as the proxy passes them on: from message bytes to header fields. */
final class ItemEndpointTest extends TestCase
{
    use CapturedLog;
    use SqliteFile;

    private const FIRST = '6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7';

    public function test_get_item_returns_the_item(): void
    {
        $answer = $this->call('GetItem', new GetItemRequest(['id' => self::FIRST]));
        self::assertSame(['grpc-status: 0'], $answer->fields);
        $item = new Item();
        $item->mergeFromString($answer->bytes);
        self::assertSame(self::FIRST, $item->getId());
        self::assertSame('first item', $item->getName());
        self::assertSame('first item for sell', $item->getDescription());
    }

    /** The application of the predecessor ran GetItem for every method. */
    public function test_list_items_is_not_get_item(): void
    {
        $page = new ListItemsResponse();
        $page->mergeFromString($this->call('ListItems', new ListItemsRequest())->bytes);
        self::assertCount(5, $page->getItems());
        self::assertSame('', $page->getNextPageToken());
    }

    public function test_list_items_returns_pages(): void
    {
        $seen = 0;
        $token = '';
        do {
            $page = new ListItemsResponse();
            $request = new ListItemsRequest(['page_size' => 2, 'page_token' => $token]);
            $page->mergeFromString($this->call('ListItems', $request)->bytes);
            $seen += count($page->getItems());
            $token = $page->getNextPageToken();
        } while ($token !== '');
        self::assertSame(5, $seen);
    }

    public function test_lookup_items_answers_each_request_in_order(): void
    {
        $answer = $this->lookUp('a', self::FIRST, 'a');
        self::assertSame(['grpc-status: 0'], $answer->trailerLines());
        $seen = [];
        foreach ($answer->frames() as [$flags, $content]) {
            if ($flags === 0) {
                $response = new LookupItemsResponse();
                $response->mergeFromString($content);
                $seen[] = [$response->getId(), $response->getItem()?->getName()];
            }
        }
        self::assertSame([['a', null], [self::FIRST, 'first item'], ['a', null]], $seen);
    }

    public function test_lookup_items_ends_at_an_invalid_id(): void
    {
        $answer = $this->lookUp(self::FIRST, '-', self::FIRST);
        self::assertCount(2, $answer->frames());
        self::assertSame('grpc-status: 3', $answer->trailerLines()[0]);
        self::assertStringStartsWith('grpc-status-details-bin: ', $answer->trailerLines()[2]);
    }

    public function test_lookup_items_without_requests_returns_no_messages(): void
    {
        self::assertSame([[FrameFlags::TRAILERS, "grpc-status: 0\r\n"]], $this->lookUp()->frames());
    }

    public function test_an_unknown_id_is_not_found(): void
    {
        $answer = $this->call('GetItem', new GetItemRequest(['id' => 'a☺']));
        self::assertSame(['grpc-status: 5', 'grpc-message: not found: item/a%E2%98%BA'], $answer->fields);
        self::assertSame('', $answer->bytes);
    }

    /** @dataProvider invalidRequests */
    #[DataProvider('invalidRequests')]
    public function test_an_invalid_field_is_named_in_a_bad_request(string $method, Message $request, string $field): void
    {
        $answer = $this->call($method, $request);
        $status = self::details($answer);
        self::assertSame(3, $status->getCode());
        self::assertSame('grpc-status: 3', $answer->fields[0]);
        self::assertSame("grpc-message: {$status->getMessage()}", $answer->fields[1]);
        $badRequest = $status->getDetails()[0]->unpack();
        self::assertInstanceOf(BadRequest::class, $badRequest);
        self::assertSame($field, $badRequest->getFieldViolations()[0]->getField());
    }

    /** @return array<string, array{string, Message, string}> */
    public static function invalidRequests(): array
    {
        return [
            'id' => ['GetItem', new GetItemRequest(['id' => '-']), 'id'],
            'no id' => ['GetItem', new GetItemRequest(), 'id'],
            'page size' => ['ListItems', new ListItemsRequest(['page_size' => -1]), 'page_size'],
            'page token' => ['ListItems', new ListItemsRequest(['page_token' => 'x']), 'page_token'],
        ];
    }

    public function test_a_missing_database_is_unknown_without_details(): void
    {
        $endpoint = self::endpointOf(static fn () => throw new RuntimeException('password=secret'));
        $answer = $this->callOn($endpoint, 'GetItem', (new GetItemRequest(['id' => 'a']))->serializeToString());
        self::assertSame('grpc-status: 2', $answer->fields[0]);
        self::assertStringNotContainsString('secret', implode($answer->fields) . $answer->bytes);
        self::assertStringContainsString('password=secret', $this->log());
    }

    /** @dataProvider failingDatabases */
    #[DataProvider('failingDatabases')]
    public function test_a_failing_database_has_the_status_of_the_other_services(string $dsn, string ...$fields): void
    {
        $open = static fn (): Services => new Services(Database::open($dsn));
        $request = (new GetItemRequest(['id' => self::FIRST]))->serializeToString();
        $answer = $this->callOn(self::endpointOf($open), 'GetItem', $request);
        self::assertSame($fields, $answer->fields);
        self::assertStringContainsString('database error: SQLSTATE', $this->log());
    }

    /** @return array<string, list<string>> */
    public static function failingDatabases(): array
    {
        $unreachable = ['grpc-status: 14', 'grpc-message: database unreachable'];
        return [
            'no PostgreSQL' => ['pgsql:host=127.0.0.1;port=1;dbname=item;user=item', ...$unreachable],
            'no file' => ['sqlite:/nonexistent/item.sqlite', ...$unreachable],
            'not a database' => ['sqlite:' . __FILE__, 'grpc-status: 13', 'grpc-message: database error'],
        ];
    }

    public function test_the_entry_script_prints_the_bare_message(): void
    {
        $script = new Script(__DIR__ . '/../item/index.php', [
            'REQUEST_URI' => '/item.ItemService/ListItems',
            'GRPC_METADATA' => "x-request-id: a-trace\n",
            'GRPC_CLIENT_PROTOCOL' => 'grpc-web',
            'GRPC_CLIENT_CODEC' => 'json',
            'ITEM_DSN' => $this->dsn(),
            'ITEM_CALL_LOG' => '1',
        ]);
        [$message, $log] = $script->finish();
        $page = new ListItemsResponse();
        $page->mergeFromString($message);
        self::assertCount(5, $page->getItems());
        $line = '{"path":"/item.ItemService/ListItems","grpc_code":"OK","protocol":"grpc-web","codec":"json","x-request-id":"a-trace"}';
        self::assertStringContainsString($line, $log);
    }

    public function test_the_entry_script_does_not_log_calls_by_default(): void
    {
        $variables = ['REQUEST_URI' => '/item.ItemService/ListItems', 'ITEM_DSN' => $this->dsn()];
        self::assertSame('', (new Script(__DIR__ . '/../item/index.php', $variables))->finish()[1]);
    }

    private function call(string $method, Message $request): RecordedOutput
    {
        return $this->callOn($this->endpoint(), $method, $request->serializeToString());
    }

    private function lookUp(string ...$ids): RecordedOutput
    {
        $input = '';
        foreach ($ids as $id) {
            $input .= Frames::encode((new GetItemRequest(['id' => $id]))->serializeToString());
        }
        return $this->callOn($this->endpoint(), 'LookupItems', $input, 'bidi_stream');
    }

    private function endpoint(): ItemEndpoint
    {
        return self::endpointOf(fn (): Services => new Services(Database::open($this->dsn())));
    }

    /** @param Closure(): Services $services */
    private static function endpointOf(Closure $services): ItemEndpoint
    {
        return new ItemEndpoint($services, new ItemFeed($services, static fn () => self::fail('nothing is watched')));
    }

    private function callOn(ItemEndpoint $endpoint, string $method, string $input, string $kind = 'unary'): RecordedOutput
    {
        $server = new RpcServer();
        $server->handle($endpoint);
        $output = new RecordedOutput();
        $variables = ['REQUEST_URI' => "/item.ItemService/$method", 'GRPC_CALL_KIND' => $kind];
        $server->serve(new IncomingCall($variables, Call::stream($input)), $output);
        return $output;
    }

    private static function details(RecordedOutput $answer): RpcStatus
    {
        // unpack() finds the class by its descriptor, which the first use of the class loads.
        new BadRequest();
        $field = preg_grep('/^grpc-status-details-bin: /i', $answer->fields);
        $status = new RpcStatus();
        $status->mergeFromString(base64_decode(explode(': ', current($field))[1], true));
        return $status;
    }
}
