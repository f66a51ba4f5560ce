<?php

declare(strict_types=1);

namespace Grpc;

/** The input of the current php-fpm request. */
final class StreamInput implements Input
{
    /** Memory is allocated piece by piece, because the length in a frame's header may be invalid. */
    private const READ_BYTES = 1 << 20;

    /** @param resource|null $stream in place of php://input, which is opened by the first read */
    public function __construct(private $stream = null)
    {
    }

    public function all(): string
    {
        return (string) ($this->stream === null ? file_get_contents('php://input') : stream_get_contents($this->stream));
    }

    public function bytes(int $length): string
    {
        $this->stream ??= self::open();
        $bytes = '';
        while (($left = $length - strlen($bytes)) > 0) {
            $read = fread($this->stream, min($left, self::READ_BYTES));
            if ($read === '' || $read === false) {
                break;
            }
            $bytes .= $read;
        }
        return $bytes;
    }

    /** What php-fpm has received cannot be seen without waiting for it. */
    public function arrived(): bool
    {
        return false;
    }

    /** @return resource */
    private static function open()
    {
        $input = fopen('php://input', 'rb');
        // A buffered read would wait for 8 KiB.
        stream_set_read_buffer($input, 0);
        return $input;
    }
}
