<?php

declare(strict_types=1);

namespace Grpc\Resident;

use Generator;

/**
 * Where php-fpm accepts connections. When a reload tells its workers to end, php-fpm closes this socket in each: that is how
 * a script can find out. (The signal itself only interrupts what the worker waits for.)
 */
final class ListeningSocket
{
    private const DESCRIPTORS = '/proc/self/fd';

    /** The state of a socket that listens, in /proc/net/tcp. */
    private const TCP_LISTEN = '0A';

    /** The flag of one in /proc/net/unix. */
    private const UNIX_LISTENS = '00010000';

    /** @var array<string, string> a descriptor's path => its socket. A worker may hold those of other pools too, which stay open */
    private array $sockets = [];

    public function __construct()
    {
        // Where these files are hidden, the signal alone must do.
        set_error_handler(static fn (): bool => true);
        $listening = self::listening();
        foreach (scandir(self::DESCRIPTORS) ?: [] as $name) {
            $path = self::DESCRIPTORS . "/$name";
            $socket = (string) readlink($path);
            if (isset($listening[$socket])) {
                $this->sockets[$path] = $socket;
            }
        }
        restore_error_handler();
    }

    public function closed(): bool
    {
        set_error_handler(static fn (): bool => true);
        $closed = false;
        foreach ($this->sockets as $path => $socket) {
            $closed = $closed || readlink($path) !== $socket;
        }
        restore_error_handler();
        return $closed;
    }

    /** @return array<string, true> as in /proc/self/fd */
    private static function listening(): array
    {
        $sockets = [];
        foreach (self::rows('unix') as $row) {
            if (($row[3] ?? '') === self::UNIX_LISTENS) {
                $sockets["socket:[$row[6]]"] = true;
            }
        }
        foreach (['tcp', 'tcp6'] as $table) {
            foreach (self::rows($table) as $row) {
                if (($row[3] ?? '') !== self::TCP_LISTEN) {
                    // Those that listen come first, and a busy machine has thousands of others.
                    break;
                }
                $sockets["socket:[$row[9]]"] = true;
            }
        }
        return $sockets;
    }

    /** @return Generator<list<string>> */
    private static function rows(string $table): Generator
    {
        $file = fopen("/proc/net/$table", 'r');
        $names = $file === false ? false : fgets($file);
        while ($names !== false && ($line = fgets($file)) !== false) {
            yield preg_split('/\s+/', trim($line));
        }
    }
}
