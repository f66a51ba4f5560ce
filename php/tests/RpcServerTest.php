<?php

declare(strict_types=1);

namespace Tests;

use Closure;
use Grpc\Answer;
use Grpc\IncomingCall;
use Grpc\RpcServer;
use Grpc\ServerContext;
use Grpc\Status;
use Item\GetItemRequest;
use Item\Item;
use Item\ItemServiceStub;
use LogicException;
use PHPUnit\Framework\TestCase;
use TypeError;

final class RpcServerTest extends TestCase
{
    use CapturedLog;

    public function test_a_method_that_is_not_overridden_is_unimplemented(): void
    {
        self::assertSame(12, $this->answer('/item.ItemService/ListItems')->status['code']);
    }

    /** @dataProvider unknownPaths */
    public function test_an_unknown_method_is_unimplemented(string $path): void
    {
        self::assertSame(12, $this->answer($path)->status['code']);
    }

    /** @return list<array{string}> */
    public static function unknownPaths(): array
    {
        return [[''], ['/'], ['/item.ItemService/Nothing'], ['/item.itemservice/GetItem'], ['/other.Service/GetItem']];
    }

    public function test_a_request_that_does_not_parse_is_internal(): void
    {
        $answer = $this->answer('/item.ItemService/GetItem', "\x0a\x7f");
        self::assertSame(13, $answer->status['code']);
        self::assertStringContainsString('does not parse', $this->log());
    }

    public function test_an_exception_is_unknown_and_its_text_is_for_the_log(): void
    {
        foreach ([new LogicException('secret'), new TypeError('secret')] as $error) {
            $answer = $this->answer('/item.ItemService/GetItem', '', static fn () => throw $error);
            $fields = ['Content-Type: application/grpc', 'Grpc-Status: 2', 'Grpc-Message: uncaught exception'];
            self::assertSame($fields, $answer->fields());
            self::assertStringContainsString($error::class . ': secret', $this->log());
        }
    }

    public function test_neither_a_response_nor_a_status_is_unknown(): void
    {
        self::assertSame(2, $this->answer('/item.ItemService/GetItem', '', static fn () => null)->status['code']);
    }

    public function test_metadata_goes_both_ways(): void
    {
        $answer = $this->answer('/item.ItemService/GetItem', '', static function (ServerContext $context): Item {
            $metadata = $context->clientMetadata();
            $context->setInitialMetadata(['x-initial' => $metadata['x-twice']]);
            $context->setStatus(Status::ok(['x-trailing-bin' => $metadata['x-some-bin']]));
            return new Item(['name' => $context->method() . ' on ' . $context->host()]);
        });
        self::assertSame([
            'Content-Type: application/grpc',
            'Grpc-Status: 0',
            'x-initial: one',
            'x-initial: two: with a colon',
            'grpc-trailer-x-trailing-bin: q6ur',
        ], $answer->fields());
        self::assertSame((new Item(['name' => '/item.ItemService/GetItem on item']))->serializeToString(), $answer->message);
    }

    public function test_an_error_has_no_message_and_its_text_is_percent_encoded(): void
    {
        $answer = $this->answer('/item.ItemService/GetItem', '', static function (ServerContext $context): Item {
            $context->setStatus(Status::status(7, "\t100%\r\n☺\x7f"));
            return new Item(['name' => 'not to be seen']);
        });
        self::assertContains('Grpc-Message: %09100%25%0D%0A%E2%98%BA%7F', $answer->fields());
        self::assertSame('', $answer->message);
    }

    /** @param Closure(ServerContext): ?Item|null $getItem */
    private function answer(string $path, string $message = '', ?Closure $getItem = null): Answer
    {
        $server = new RpcServer();
        $server->handle(new class ($getItem) extends ItemServiceStub {
            public function __construct(private readonly ?Closure $getItem)
            {
            }

            public function GetItem(GetItemRequest $request, ServerContext $context): ?Item
            {
                return ($this->getItem)($context);
            }
        });
        return $server->answer(IncomingCall::fromVariables([
            'REQUEST_URI' => $path,
            'HTTP_HOST' => 'item',
            'GRPC_METADATA' => "x-twice: one\nx-some-bin: q6ur\nx-twice: two: with a colon\nx-empty: \nx-cut",
        ]), $message);
    }
}
