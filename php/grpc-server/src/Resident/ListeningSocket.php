<?php

declare(strict_types=1);

namespace Grpc\Resident;

use Closure;
use Generator;

/**
 * Where php-fpm accepts connections. When a reload tells its workers to end, php-fpm closes this socket in each, and puts a
 * new one that listens nowhere in its place: that is how a script can find out. (The signal itself only interrupts what the
 * worker waits for.)
 */
final class ListeningSocket
{
    private const DESCRIPTORS = '/proc/self/fd';

    /** The state of a socket that listens, in /proc/net/tcp. */
    private const TCP_LISTEN = '0A';

    /** The flag of one in /proc/net/unix. */
    private const UNIX_LISTENS = '00010000';

    /** Flags, type and state of a stream socket there that neither listens nor is connected. */
    private const UNIX_UNUSED = ['00000000', '0001', '01'];

    /** @var array<string, string> a descriptor's path => its socket. A worker may hold those of other pools too, which stay open */
    private array $sockets = [];

    /** Whether php-fpm has closed it before: the reload came while the script booted. */
    private bool $closed = false;

    /** @param (Closure(): array<string, bool>)|null $find finds the sockets of this machine, by default in /proc/net */
    public function __construct(?Closure $find = null)
    {
        // Where these files are hidden, the signal alone must do.
        set_error_handler(static fn (): bool => true);
        $before = self::descriptors();
        $found = ($find ?? self::find(...))();
        foreach (self::descriptors() as $path => $socket) {
            $listens = $found[$socket] ?? null;
            if ($listens === true) {
                $this->sockets[$path] = $socket;
            }
            // The reload may come while the sockets are looked for, too.
            $replaced = ($before[$path] ?? $socket) !== $socket;
            $this->closed = $this->closed || $listens === false || $replaced;
        }
        restore_error_handler();
    }

    public function closed(): bool
    {
        set_error_handler(static fn (): bool => true);
        $closed = $this->closed;
        foreach ($this->sockets as $path => $socket) {
            $closed = $closed || readlink($path) !== $socket;
        }
        restore_error_handler();
        return $closed;
    }

    /** @return array<string, string> a descriptor's path => its socket */
    private static function descriptors(): array
    {
        $sockets = [];
        foreach (scandir(self::DESCRIPTORS) ?: [] as $name) {
            $path = self::DESCRIPTORS . "/$name";
            $socket = (string) readlink($path);
            if (str_starts_with($socket, 'socket:')) {
                $sockets[$path] = $socket;
            }
        }
        return $sockets;
    }

    /** @return array<string, bool> a socket as in /proc/self/fd => true if it listens, false if it is unused */
    public static function find(): array
    {
        $sockets = [];
        foreach (self::rows('unix') as $row) {
            if (($row[3] ?? '') === self::UNIX_LISTENS) {
                $sockets["socket:[$row[6]]"] = true;
            } elseif (array_slice($row, 3, 3) === self::UNIX_UNUSED) {
                $sockets["socket:[$row[6]]"] = false;
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
            yield preg_split('/\s+/', trim($line)) ?: [];
        }
    }
}
