<?php

declare(strict_types=1);

namespace Grpc\Tests;

/** Length-prefixed messages. */
final class Frames
{
    public static function encode(string $content, int $flags = 0): string
    {
        return pack('CN', $flags, strlen($content)) . $content;
    }

    /** @return list<array{int, string}> flags and content of each */
    public static function decode(string $bytes): array
    {
        $frames = [];
        for ($at = 0; $at < strlen($bytes); $at += 5 + $length) {
            ['flags' => $flags, 'length' => $length] = unpack('Cflags/Nlength', $bytes, $at);
            $frames[] = [$flags, substr($bytes, $at + 5, $length)];
        }
        return $frames;
    }
}
