<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\Resident\ListeningSocket;
use PHPUnit\Framework\TestCase;

/** Each socket that php-fpm closes has a new one in its place: here the next one that is opened has the lowest descriptor. */
final class ListeningSocketTest extends TestCase
{
    public function test_it_is_open_until_another_socket_is_in_its_place(): void
    {
        $server = stream_socket_server('tcp://127.0.0.1:0');
        $socket = new ListeningSocket();
        self::assertFalse($socket->closed());
        $replacement = self::replace($server);
        self::assertTrue($socket->closed());
        fclose($replacement);
    }

    public function test_it_may_be_closed_while_it_is_looked_for(): void
    {
        foreach ([true, false] as $first) {
            $server = stream_socket_server('tcp://127.0.0.1:0');
            $replacement = null;
            $socket = new ListeningSocket(static function () use ($first, $server, &$replacement): array {
                $found = $first ? [] : ListeningSocket::find();
                $replacement = self::replace($server);
                return $first ? ListeningSocket::find() : $found;
            });
            self::assertTrue($socket->closed());
            fclose($replacement);
        }
    }

    /**
     * @param resource $server
     * @return resource
     */
    private static function replace($server)
    {
        fclose($server);
        return stream_socket_server('udp://127.0.0.1:0', $code, $text, STREAM_SERVER_BIND);
    }
}
