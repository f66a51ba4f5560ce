<?php

declare(strict_types=1);

namespace Tests;

use Grpc\Tests\PhpFpm;
use Grpc\Tests\ResidentProxy;
use Item\GetItemRequest;
use Item\Item;
use PDO;
use PHPUnit\Framework\TestCase;

/** The item application in a resident worker. */
final class ItemResidentTest extends TestCase
{
    use SqliteFile;

    private const FIRST = '6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7';

    private PhpFpm $phpFpm;

    protected function setUp(): void
    {
        $environment = ['ITEM_DSN' => $this->dsn(), 'ITEM_CALL_LOG' => '1'];
        $this->phpFpm = new PhpFpm($environment, dirname(__DIR__) . '/item/preload.php');
    }

    protected function tearDown(): void
    {
        $this->phpFpm->stop();
    }

    public function test_each_call_sees_the_database_that_is_there_and_is_logged(): void
    {
        $proxy = new ResidentProxy($this->phpFpm, dirname(__DIR__) . '/item/index.php');
        self::assertSame('first item', self::itemName($proxy, 'one'));
        (new PDO($this->dsn()))->exec("UPDATE item SET name = 'renamed'");
        self::assertSame('renamed', self::itemName($proxy, 'two'));
        unlink("{$this->folder()}/item.sqlite");
        self::assertSame('first item', self::itemName($proxy, 'three'));
        $log = $proxy->retire();
        foreach (['one', 'two', 'three'] as $id) {
            $line = '{"path":"/item.ItemService/GetItem","grpc_code":"OK","protocol":"grpc","codec":"proto","x-request-id":"' . $id . '"}';
            self::assertSame(1, substr_count($log, $line), $log);
        }
    }

    private static function itemName(ResidentProxy $proxy, string $requestId): string
    {
        $request = (new GetItemRequest(['id' => self::FIRST]))->serializeToString();
        $metadata = ['metadata' => "x-request-id: $requestId\n"];
        $call = $proxy->call('/item.ItemService/GetItem', ResidentProxy::UNARY, $request, more: $metadata);
        [$fields, $message] = $proxy->answer($call);
        self::assertSame(['grpc-status: 0'], $fields);
        $item = new Item();
        $item->mergeFromString($message);
        return $item->getName();
    }
}
