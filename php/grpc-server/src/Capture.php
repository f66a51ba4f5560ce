<?php

declare(strict_types=1);

namespace Grpc;

use Closure;

/**
 * An output buffer that captures what PHP prints. PHP destroys its handler when it has removed the buffer: if a service has
 * removed it, that is the moment to start another one.
 */
final class Capture
{
    private const CHUNK_BYTES = 4096;

    private int $level = 0;

    /**
     * @param Closure(string): void $captured takes what is printed
     * @param Closure(): void $removed runs when the buffer has been removed
     */
    private function __construct(private readonly Closure $captured, private readonly Closure $removed)
    {
    }

    /**
     * @param Closure(string): void $captured
     * @param Closure(): void $removed
     */
    public static function start(Closure $captured, Closure $removed): void
    {
        $capture = new self($captured, $removed);
        ob_start($capture, self::CHUNK_BYTES);
        $capture->level = ob_get_level();
    }

    public function __invoke(string $text, int $phase): string
    {
        // Skips what ob_get_clean() returns, and what a service has discarded.
        if (($phase & PHP_OUTPUT_HANDLER_CLEAN) === 0) {
            ($this->captured)($text);
        }
        return '';
    }

    public function __destruct()
    {
        // At the end of the script, PHP destroys the object before the buffer.
        if (ob_get_level() < $this->level) {
            ($this->removed)();
        }
    }
}
