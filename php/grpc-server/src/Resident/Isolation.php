<?php

declare(strict_types=1);

namespace Grpc\Resident;

use Closure;
use Grpc\Capture;
use Grpc\Log;

/** Resets behind each call what it may have changed, and keeps its output out of the answers. */
final class Isolation
{
    /** More would keep a service in a loop that removes buffers until none is left. */
    private const MAX_RECAPTURES = 10;

    private const SETTINGS = [
        'error_reporting', 'display_errors', 'log_errors', 'memory_limit', 'precision', 'serialize_precision',
        'default_socket_timeout',
    ];

    /** set_time_limit() is a system call. Its limit is in seconds, so it need not be exact. */
    private const RENEW_NANOSECONDS = 10_000_000;

    /** @var array<string, string|false> */
    private array $settings = [];
    private readonly string $timezone;
    private readonly string|false $locale;
    /** @var callable|null */
    private readonly mixed $errorHandler;
    private readonly int $timeLimit;
    private int $renewed = 0;

    private int $level = 0;
    private int $recaptures = 0;
    private ?Call $call = null;
    private bool $ended = false;
    private readonly Closure $captured;
    private readonly Closure $removed;

    /** @param Closure(): void $spoilt runs when something cannot be reset, so that the worker should end */
    public function __construct(private readonly Closure $spoilt)
    {
        // PHP displays a fatal out-of-memory error past all buffers.
        ini_set('display_errors', '0');
        ini_set('log_errors', '1');
        foreach (self::SETTINGS as $name) {
            $this->settings[$name] = ini_get($name);
        }
        $this->timezone = date_default_timezone_get();
        $this->locale = setlocale(LC_ALL, '0');
        $this->errorHandler = self::currentErrorHandler();
        $this->timeLimit = (int) ini_get('max_execution_time');
        $this->captured = $this->logStray(...);
        $this->removed = $this->recapture(...);
        $this->capture();
    }

    /** Runs before code of a call does. */
    public function before(Call $call): void
    {
        $this->call = $call;
        $now = (int) hrtime(true);
        if ($now - $this->renewed > self::RENEW_NANOSECONDS || (int) ini_get('max_execution_time') !== $this->timeLimit) {
            $this->renewed = $now;
            set_time_limit($this->timeLimit);
        }
    }

    /** Runs whenever a call has ended or waits. */
    public function after(): void
    {
        $this->recaptures = 0;
        if (ob_get_level() !== $this->level || ob_get_length() !== 0) {
            $this->dropOutput();
        }
        $this->call = null;
    }

    /** Runs when a call has ended. */
    public function reset(): void
    {
        foreach ($this->settings as $name => $value) {
            if (ini_get($name) !== $value) {
                $this->resetSetting($name, (string) $value);
            }
        }
        if (date_default_timezone_get() !== $this->timezone) {
            date_default_timezone_set($this->timezone);
        }
        if (setlocale(LC_ALL, '0') !== $this->locale) {
            setlocale(LC_ALL, (string) $this->locale);
        }
        if (self::currentErrorHandler() !== $this->errorHandler) {
            $this->resetErrorHandler();
        }
    }

    public function end(): void
    {
        $this->after();
        $this->ended = true;
    }

    /** Fails if more memory is in use than the limit was. */
    private function resetSetting(string $name, string $value): void
    {
        // An error handler of the application may throw.
        set_error_handler(static fn (): bool => true);
        $before = ini_set($name, $value);
        restore_error_handler();
        if ($before === false) {
            ($this->spoilt)();
        }
    }

    private function capture(): void
    {
        Capture::start($this->captured, $this->removed);
        $this->level = ob_get_level();
    }

    private function recapture(): void
    {
        if (!$this->ended && $this->recaptures++ < self::MAX_RECAPTURES) {
            $this->capture();
        }
    }

    private function dropOutput(): void
    {
        while (ob_get_level() > $this->level && (ob_get_status()['flags'] & PHP_OUTPUT_HANDLER_REMOVABLE) !== 0) {
            $this->logStray((string) ob_get_clean());
        }
        if (ob_get_level() > $this->level) {
            Log::error('an output buffer cannot be removed: ob_start() needs PHP_OUTPUT_HANDLER_REMOVABLE');
            $this->level = ob_get_level();
            ($this->spoilt)();
        } elseif (ob_get_level() < $this->level) {
            $this->capture();
        } elseif ((ob_get_status()['flags'] & PHP_OUTPUT_HANDLER_FLUSHABLE) !== 0) {
            ob_flush();
        }
    }

    private function logStray(string $text): void
    {
        $left = $this->call->strayBytesLeft ?? Call::STRAY_BYTES_LOGGED;
        if ($text !== '' && $left > 0) {
            Log::warning('discarded output: ' . substr($text, 0, $left));
        }
        if ($this->call !== null) {
            $this->call->strayBytesLeft -= strlen($text);
        }
    }

    /** @return callable|null */
    private static function currentErrorHandler(): mixed
    {
        $handler = set_error_handler(null);
        restore_error_handler();
        return $handler;
    }

    /** Removes the handlers that a call has set; sets the first one again if a call has removed it. */
    private function resetErrorHandler(): void
    {
        do {
            restore_error_handler();
            $handler = self::currentErrorHandler();
        } while ($handler !== null && $handler !== $this->errorHandler);
        if ($handler !== $this->errorHandler) {
            set_error_handler($this->errorHandler);
        }
    }
}
