<?php

declare(strict_types=1);

namespace Tests;

/** Runs a PHP script as a separate process. */
final class Script
{
    /** @var resource */
    private $process;

    /** @var array<int, resource> */
    private array $pipes = [];

    /** @param array<string, string> $environment */
    public function __construct(string $file, array $environment)
    {
        $this->process = proc_open(
            // E: the environment becomes $_SERVER, as CGI meta-variables do.
            [PHP_BINARY, '-d', 'variables_order=ES', '-d', 'display_errors=stderr', $file],
            [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']],
            $this->pipes,
            null,
            $environment,
        );
    }

    public function readLine(): string
    {
        return (string) fgets($this->pipes[1]);
    }

    public function endInput(): void
    {
        fclose($this->pipes[0]);
    }

    /** @return array{string, string} its stdout and stderr */
    public function finish(): array
    {
        $written = [stream_get_contents($this->pipes[1]), stream_get_contents($this->pipes[2])];
        proc_close($this->process);
        return $written;
    }
}
