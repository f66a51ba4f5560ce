<?php

declare(strict_types=1);

namespace Tests;

use Google\Protobuf\FieldMask;
use Google\Protobuf\Internal\Message;
use Google\Type\Money;
use Grpc\Tests\PhpFpm;
use Grpc\Tests\Runtime;
use Item\CreateItemRequest;
use Item\GetItemRequest;
use Item\Item;
use Item\UpdateItemRequest;
use PHPUnit\Framework\TestCase;

/** The item application, preloaded by php-fpm. */
final class ItemPreloadTest extends TestCase
{
    use SqliteFile;

    private PhpFpm $phpFpm;

    protected function setUp(): void
    {
        $this->phpFpm = new PhpFpm(['ITEM_DSN' => $this->dsn()], __DIR__ . '/../item/preload.php');
    }

    protected function tearDown(): void
    {
        $this->phpFpm->stop();
    }

    public function test_preloading_logs_nothing(): void
    {
        self::assertStringNotContainsString('PHP', $this->phpFpm->startLog);
    }

    public function test_a_call_loads_no_classes_or_descriptors(): void
    {
        $request = new GetItemRequest(['id' => '6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7']);
        for ($i = 0; $i < 4; $i++) {
            [$fields, $bytes, $log] = $this->get($request);
            $item = new Item();
            $item->mergeFromString($bytes);
            self::assertContains('grpc-status: 0', $fields);
            self::assertSame('first item', $item->getName());
            $pool = Runtime::preloadedPool();
            self::assertSame("loaded: loaded.php index.php autoload.php autoload.php constants.php; descriptors: $pool", $log);
        }
    }

    public function test_a_call_that_writes_loads_no_classes_or_descriptors(): void
    {
        $item = new Item(['id' => 'new', 'quantity' => 3, 'price' => new Money(['currency_code' => 'EUR'])]);
        $requests = [
            'CreateItem' => new CreateItemRequest(['item' => $item]),
            'UpdateItem' => new UpdateItemRequest(['item' => $item, 'update_mask' => new FieldMask(['paths' => ['price']])]),
        ];
        foreach ($requests as $method => $request) {
            [$fields, , $log] = $this->call($method, $request);
            self::assertContains('grpc-status: 0', $fields);
            self::assertStringStartsWith('loaded: loaded.php index.php autoload.php autoload.php constants.php; ', $log);
        }
    }

    public function test_an_error_carries_its_details(): void
    {
        $fields = $this->get(new GetItemRequest(['id' => '-']))[0];
        self::assertContains('grpc-status: 3', $fields);
        self::assertNotEmpty(preg_grep('/grpc-status-details-bin: /', $fields));
    }

    /** @return array{list<string>, string, string} header fields, body and log */
    private function get(GetItemRequest $request): array
    {
        return $this->call('GetItem', $request);
    }

    /** @return array{list<string>, string, string} header fields, body and log */
    private function call(string $method, Message $request): array
    {
        $message = $request->serializeToString();
        $variables = ['CONTENT_LENGTH' => (string) strlen($message)];
        $call = $this->phpFpm->call(__DIR__ . '/loaded.php', "/item.ItemService/$method", 'unary', $variables);
        $call->send($message);
        $call->endInput();
        return [$call->fields(), $call->rest(), trim(str_replace('PHP message: ', '', $call->log))];
    }
}
