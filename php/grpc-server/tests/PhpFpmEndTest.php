<?php

declare(strict_types=1);

namespace Grpc\Tests;

use PHPUnit\Framework\TestCase;

/** The php-fpm that the tests start. */
final class PhpFpmEndTest extends TestCase
{
    /** A suite that failed left its php-fpm behind. */
    public function test_php_fpm_ends_with_the_process_that_started_it(): void
    {
        $code = sprintf(
            'require %s; $fpm = new Grpc\Tests\PhpFpm(); $read = fn () => [$this->folder, proc_get_status($this->process)["pid"]];'
                . 'echo implode(" ", Closure::bind($read, $fpm, $fpm)()), "\n"; sleep(60);',
            var_export(dirname(__DIR__, 2) . '/tests/bootstrap.php', true),
        );
        $process = proc_open([PHP_BINARY, '-r', $code], [1 => ['pipe', 'w']], $pipes);
        [$folder, $pid] = explode(' ', trim((string) fgets($pipes[1])));
        self::assertStringContainsString('php-fpm', self::commandLine($pid));
        proc_terminate($process, 9);
        for ($i = 0; $i < 1000 && self::commandLine($pid) !== ''; $i++) {
            usleep(10_000);
        }
        self::assertSame('', self::commandLine($pid));
        proc_close($process);
        array_map(unlink(...), glob("$folder/*"));
        rmdir($folder);
    }

    /** Empty for a process that has ended. */
    private static function commandLine(string $pid): string
    {
        return (string) @file_get_contents("/proc/$pid/cmdline");
    }
}
