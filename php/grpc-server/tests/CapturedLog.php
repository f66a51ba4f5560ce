<?php

declare(strict_types=1);

namespace Grpc\Tests;

use PHPUnit\Framework\Attributes\After;
use PHPUnit\Framework\Attributes\Before;

/** Redirects error_log to a file while a test runs. */
trait CapturedLog
{
    private string $logFile;
    private string|false $logBefore;

    /** @before */
    #[Before]
    protected function captureLog(): void
    {
        $this->logFile = tempnam(sys_get_temp_dir(), 'log');
        $this->logBefore = ini_set('error_log', $this->logFile);
    }

    /** @after */
    #[After]
    protected function releaseLog(): void
    {
        ini_set('error_log', (string) $this->logBefore);
        unlink($this->logFile);
    }

    private function log(): string
    {
        return (string) file_get_contents($this->logFile);
    }
}
