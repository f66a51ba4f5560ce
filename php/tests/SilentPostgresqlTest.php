<?php

declare(strict_types=1);

namespace Tests;

use Grpc\Tests\Frames;
use Grpc\Tests\PhpFpm;
use Grpc\Tests\ResidentProxy;
use Item\WatchItemsRequest;
use PHPUnit\Framework\TestCase;

/** A PostgreSQL whose host takes packets and answers none. */
final class SilentPostgresqlTest extends TestCase
{
    /** @var list<resource> */
    private array $sockets;
    private PhpFpm $phpFpm;

    protected function setUp(): void
    {
        $context = stream_context_create(['socket' => ['backlog' => 0]]);
        $flags = STREAM_SERVER_BIND | STREAM_SERVER_LISTEN;
        $this->sockets = [stream_socket_server('tcp://127.0.0.1:0', flags: $flags, context: $context)];
        $address = stream_socket_get_name($this->sockets[0], false);
        // When its queue is full, Linux drops the packets that begin another connection.
        for ($i = 0; $i < 3; $i++) {
            $this->sockets[] = stream_socket_client("tcp://$address", flags: STREAM_CLIENT_ASYNC_CONNECT);
        }
        [$host, $port] = explode(':', $address);
        $this->phpFpm = new PhpFpm(['ITEM_DSN' => "pgsql:host=$host;port=$port;dbname=item;user=item"]);
    }

    protected function tearDown(): void
    {
        $this->phpFpm->stop();
        array_map(fclose(...), $this->sockets);
    }

    public function test_other_calls_run_while_a_watcher_connects(): void
    {
        $proxy = new ResidentProxy($this->phpFpm, dirname(__DIR__) . '/item/index.php');
        $watching = self::watch($proxy, 'a');
        $refused = self::watch($proxy, '-');
        self::assertStringStartsWith("grpc-status: 3\r\n", Frames::decode($proxy->answer($refused)[1])[0][1]);
        self::assertNotContains($watching, $proxy->ended);
        $proxy->close();
        $proxy->request->rest();
    }

    private static function watch(ResidentProxy $proxy, string $id): int
    {
        $request = Frames::encode((new WatchItemsRequest(['ids' => [$id]]))->serializeToString());
        return $proxy->call('/item.ItemService/WatchItems', ResidentProxy::BIDI_STREAM, $request, false);
    }
}
