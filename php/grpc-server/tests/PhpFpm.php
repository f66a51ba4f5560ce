<?php

declare(strict_types=1);

namespace Grpc\Tests;

use RuntimeException;

/** Runs a php-fpm on a Unix socket, configured as by a distribution: with php.ini and output buffering. */
final class PhpFpm
{
    private readonly string $folder;

    /** @var resource */
    private $process;

    /** The log until php-fpm was ready. */
    public readonly string $startLog;

    /**
     * @param array<string, string> $environment
     * @param string|null $preload a script for opcache.preload
     */
    public function __construct(array $environment = [], ?string $preload = null)
    {
        $this->folder = sys_get_temp_dir() . '/php-fpm-' . bin2hex(random_bytes(8));
        mkdir($this->folder);
        file_put_contents("$this->folder/php-fpm.conf", $this->configuration($environment));
        $program = sprintf('php-fpm%d.%d', PHP_MAJOR_VERSION, PHP_MINOR_VERSION);
        // It must not outlive the tests, however they end.
        $command = ['setpriv', '--pdeathsig', 'TERM', $program, '--nodaemonize', '--allow-to-run-as-root', '--force-stderr'];
        if ($preload !== null) {
            array_push($command, '-d', "opcache.preload=$preload", '-d', 'opcache.preload_user=' . self::user());
        }
        $this->process = proc_open(
            [...$command, '--fpm-config', "$this->folder/php-fpm.conf"],
            [2 => ['pipe', 'w']],
            $pipes,
        );
        $log = '';
        while (!str_contains($line = (string) fgets($pipes[2]), 'ready to handle connections')) {
            $log .= $line;
            if ($line === '') {
                $this->stop();
                throw new RuntimeException("$program did not start: $log");
            }
        }
        $this->startLog = $log;
    }

    public function stop(): void
    {
        // php-fpm loses a signal that comes just before it starts anew for a reload.
        do {
            proc_terminate($this->process);
            usleep(10_000);
        } while (proc_get_status($this->process)['running']);
        proc_close($this->process);
        array_map(unlink(...), glob("$this->folder/*"));
        rmdir($this->folder);
    }

    /** Replaces the workers, which may end what they do. */
    public function reload(): void
    {
        posix_kill(proc_get_status($this->process)['pid'], SIGUSR2);
    }

    /** @param array<string, string> $variables */
    public function call(string $script, string $path, string $kind = 'unary', array $variables = []): FastCgiCall
    {
        [, $service, $method] = explode('/', $path);
        return new FastCgiCall("unix://$this->folder/socket", $variables + [
            'GRPC_SERVICE' => $service,
            'GRPC_METHOD' => $method,
            'GRPC_CALL_KIND' => $kind,
            'GRPC_METADATA' => '',
            'REQUEST_METHOD' => $kind === 'unary' ? 'POST' : 'GRPC',
            'REQUEST_URI' => $path,
            'SCRIPT_NAME' => $path,
            'SCRIPT_FILENAME' => $script,
            'CONTENT_TYPE' => 'application/grpc',
            'CONTENT_LENGTH' => (string) PHP_INT_MAX,
            'QUERY_STRING' => '',
            'HTTP_HOST' => 'test',
        ]);
    }

    /**
     * @param array<string, string> $variables
     * @return array{list<string>, string} header fields and body
     */
    public function unary(string $script, string $path, string $message, array $variables = []): array
    {
        $call = $this->call($script, $path, 'unary', $variables + ['CONTENT_LENGTH' => (string) strlen($message)]);
        $call->send($message);
        $call->endInput();
        return [$call->fields(), $call->rest()];
    }

    /** @param array<string, string> $environment */
    private function configuration(array $environment): string
    {
        $lines = [
            '[global]',
            'error_log = /dev/null',
            'process_control_timeout = 10s',
            '[test]',
            "listen = $this->folder/socket",
            'user = ' . self::user(),
            'pm = static',
            'pm.max_children = 2',
            'catch_workers_output = no',
            // The output of a service must not reach the proxy, not even errors that PHP displays.
            'php_flag[display_errors] = on',
            'php_flag[log_errors] = off',
            'php_value[memory_limit] = 512M',
            'php_value[output_buffering] = 4096',
        ];
        foreach ($environment as $name => $value) {
            $lines[] = "env[$name] = \"$value\"";
        }
        return implode("\n", $lines) . "\n";
    }

    private static function user(): string
    {
        return posix_getpwuid(posix_geteuid())['name'];
    }
}
