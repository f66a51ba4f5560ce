<?php

declare(strict_types=1);

namespace Grpc\Resident;

use Closure;
use Grpc\Log;
use Grpc\RpcServer;
use Grpc\ServerContext;
use Grpc\Status;
use Throwable;

use const Grpc\STATUS_UNAVAILABLE;
use const Grpc\STATUS_UNKNOWN;

/**
 * A script that stays, and serves many calls over one connection to the proxy: streaming calls beside each other, unary
 * calls one after the other.
 */
final class Worker
{
    /** Other calls and the proxy wait while unary calls run; but their answers are sent at once. */
    private const UNARY_NANOSECONDS = 5_000_000;

    /** Without anything to do, the worker looks so often for a signal that came just before it waited. */
    private const IDLE_SECONDS = 1.0;
    private const STATUS_NANOSECONDS = 1_000_000_000;
    private const MAX_LOG_BYTES = 65_536;

    /** Memory for the shutdown function, after a call has used up all. */
    private const RESERVED_BYTES = 131_072;
    private const SHUTDOWN_SECONDS = 5;

    private readonly Scheduler $scheduler;
    private readonly Isolation $isolation;
    private readonly MessageMemory $memory;
    private readonly ReloadWatch $reloadWatch;
    private readonly PhpLog $phpLog;

    /** @var array<int, Call> those that have not ended; unary ones since they have begun */
    private array $calls = [];

    /** @var array<int, Call> unary calls that have not begun, in order */
    private array $queue = [];
    private ?Call $unary = null;

    /** Whose input came last, if more of it is to come. */
    private ?Call $receiving = null;
    private bool $reading = false;
    private int $lastNumber = 0;
    private bool $retiring = false;
    private bool $ended = false;
    private string $reserve;
    private int $reported = 0;
    private int $busyReported = 0;

    /**
     * @param Closure(Call): int $serve answers a call; returns its status code; throws nothing
     * @param (Closure(ServerContext, int): void)|null $afterCall throws nothing
     */
    public function __construct(
        private readonly Connection $connection,
        private readonly Settings $settings,
        private readonly Closure $serve,
        private readonly ?Closure $afterCall,
    ) {
        $this->isolation = new Isolation($this->retire(...));
        $this->scheduler = new Scheduler(
            $this->serve(...),
            $this->receive(...),
            $this->beforeTurn(...),
            $this->afterTurn(...),
        );
        $this->memory = new MessageMemory($this->scheduler);
        $this->reloadWatch = new ReloadWatch();
        $this->phpLog = new PhpLog();
        $this->reserve = str_repeat('x', self::RESERVED_BYTES);
    }

    /** Returns when the proxy wants no more of this worker. */
    public function run(): void
    {
        // The proxy may close the request before the script has ended.
        ignore_user_abort(true);
        Log::to($this->log(...));
        register_shutdown_function($this->shutdown(...));
        $this->connection->send(Frame::HELLO, 0, Frame::hello($this->settings->secret));
        $this->loop();
        $this->ended = true;
        $this->isolation->end();
        $this->scheduler->stop();
        $this->connection->close();
        Log::to(null);
    }

    private function loop(): void
    {
        while (!$this->connection->closed && !($this->scheduler->retired && $this->calls === [] && $this->queue === [])) {
            // A unary call may begin only behind the answers before it.
            $this->connection->flush();
            $this->receive($this->hasWork() ? 0.0 : self::IDLE_SECONDS);
            $this->scheduler->runReady();
            $this->runUnary();
        }
        $this->cancelAll();
        while ($this->scheduler->hasReady()) {
            $this->scheduler->runReady();
        }
    }

    private function hasWork(): bool
    {
        return $this->scheduler->hasReady() || ($this->nextUnary() !== null && !$this->connection->pending());
    }

    /** Waits until the proxy has sent something, a timer is due, or a stream can be read, and takes it. */
    private function receive(float $most = self::IDLE_SECONDS): void
    {
        $this->connection->flush();
        if ($this->connection->closed) {
            $this->cancelAll();
            return;
        }
        // Numbers of calls begin at 1.
        $readable = [0 => $this->connection->socket] + $this->scheduler->streams();
        $writable = $this->connection->pending() ? [$this->connection->socket] : null;
        $busy = $this->scheduler->busyNanoseconds;
        $most = $this->phpLog->flush($busy) ? $most : min($most, PhpLog::SECONDS);
        $most = $this->reloadWatch->secondsToWait($most, $busy);
        $seconds = $this->scheduler->hasReady() ? 0.0 : $this->scheduler->secondsToWait($most);
        $count = Selection::wait($readable, $writable, $seconds);
        if ($count === null || $this->reloadWatch->hasReloaded($busy)) {
            // php-fpm tells its workers with a signal to end.
            $this->retire();
        }
        if ($count !== null && $count > 0) {
            if (isset($readable[0])) {
                $this->read();
                unset($readable[0]);
            }
            foreach (array_keys($readable) as $number) {
                $this->scheduler->streamReady($number);
            }
        } elseif ($seconds === self::IDLE_SECONDS && gc_status()['roots'] > 0) {
            gc_collect_cycles();
        }
        $this->scheduler->wakeTimers();
        $this->report();
        if ($this->connection->closed) {
            $this->cancelAll();
        }
    }

    private function read(): void
    {
        $this->reading = true;
        $this->connection->read();
        try {
            while ($this->connection->next()) {
                $this->take($this->connection->type, $this->connection->call, $this->connection->payload);
            }
        } catch (ProtocolError $error) {
            Log::error("the worker ends because of an invalid frame: {$error->getMessage()}");
            $this->connection->close();
        }
        $this->reading = false;
    }

    /** @throws ProtocolError */
    private function take(int $type, int $number, string $payload): void
    {
        if ($type === Frame::CALL) {
            $this->takeCall($number, $payload);
            return;
        }
        if ($type === Frame::RETIRE && $number === 0 && $payload === '') {
            $this->scheduler->retire($this->calls);
            return;
        }
        if ($number === 0 || $number > $this->lastNumber) {
            throw new ProtocolError("a frame of type $type for call $number");
        }
        $call = $this->calls[$number] ?? $this->queue[$number] ?? null;
        $this->receiving = $type === Frame::DATA ? $call : null;
        match ($type) {
            Frame::DATA => $call?->addInput($payload, false),
            Frame::END => $call?->addInput($payload, true),
            Frame::CREDIT => $call?->addCredit(self::credit($payload)),
            Frame::CANCEL => $call === null ? null : $this->cancel($call),
            default => throw new ProtocolError("a frame of type $type"),
        };
    }

    /** @throws ProtocolError */
    private function takeCall(int $number, string $payload): void
    {
        if ($number <= $this->lastNumber || $this->scheduler->retired) {
            throw new ProtocolError($this->scheduler->retired ? 'a CALL after RETIRE' : "CALL $number after $this->lastNumber");
        }
        $this->lastNumber = $number;
        [$variables, $input, $end] = Frame::decodeCall($payload);
        $call = new Call($number, $variables, $this->scheduler, $this->connection, $this->memory);
        $call->addInput($input, $end);
        if ($call->unary) {
            $this->queue[$number] = $call;
        } else {
            $this->calls[$number] = $call;
            if (count($this->calls) > $this->settings->maxStreams) {
                $this->checkStreams();
            }
            $this->scheduler->enqueue($call);
        }
    }

    /** @throws ProtocolError */
    private function checkStreams(): void
    {
        $streams = array_filter($this->calls, static fn (Call $call): bool => !$call->unary && !$call->output->ended());
        if (count($streams) > $this->settings->maxStreams) {
            throw new ProtocolError("more than {$this->settings->maxStreams} streaming calls");
        }
    }

    /** @throws ProtocolError */
    private static function credit(string $payload): int
    {
        return strlen($payload) === 4 ? unpack('N', $payload)[1] : throw new ProtocolError('a CREDIT without its 4 bytes');
    }

    private function cancel(Call $call): void
    {
        $call->cancel();
        if (isset($this->queue[$call->number])) {
            unset($this->queue[$call->number]);
            $call->output->end();
        }
    }

    private function beforeTurn(Call $call): void
    {
        if (!$call->isQuick()) {
            // What other calls have sent does not wait for one that may take long.
            $this->connection->flushDeferred();
        }
        $this->isolation->before($call);
    }

    private function afterTurn(int $now): void
    {
        $this->isolation->after();
        $this->connection->flushDeferred($now);
    }

    private function nextUnary(): ?Call
    {
        $number = $this->unary === null ? array_key_first($this->queue) : null;
        return $number !== null && $this->queue[$number]->ready() ? $this->queue[$number] : null;
    }

    /**
     * The answer to a call is sent before the next one begins. If the worker dies, the proxy knows so that calls behind
     * the first one without an answer have not begun.
     */
    private function runUnary(): void
    {
        $began = hrtime(true);
        while (($call = $this->nextUnary()) !== null && $this->connection->flush()) {
            unset($this->queue[$call->number]);
            $this->calls[$call->number] = $call;
            $this->unary = $call;
            $this->scheduler->start($call);
            if (hrtime(true) - $began > self::UNARY_NANOSECONDS) {
                return;
            }
        }
    }

    /** Serves a call in its fiber, to its end. */
    private function serve(Call $call): void
    {
        $status = ($this->serve)($call);
        $call->output->end();
        $call->endsWithWorker = false;
        if ($this->afterCall !== null) {
            $this->connection->flush();
            ($this->afterCall)($call->context, $status);
        }
        $call->release();
        unset($this->calls[$call->number]);
        if ($call === $this->unary) {
            $this->unary = null;
        }
        $this->isolation->reset();
        if ($this->settings->maxMemory > 0 && !$this->retiring && memory_get_usage(true) > $this->settings->maxMemory) {
            $this->retireIfTooLarge();
        }
    }

    private function retireIfTooLarge(): void
    {
        gc_collect_cycles();
        gc_mem_caches();
        if (memory_get_usage(true) > $this->settings->maxMemory) {
            Log::warning(sprintf('retires: its memory of %d bytes is over the limit', memory_get_usage(true)));
            $this->retire();
        }
    }

    /** Asks the proxy for no more calls. */
    private function retire(): void
    {
        if (!$this->retiring && !$this->scheduler->retired) {
            $this->connection->send(Frame::RETIRE, 0, '');
        }
        $this->retiring = true;
    }

    private function report(): void
    {
        $now = (int) hrtime(true);
        if ($now - $this->reported < self::STATUS_NANOSECONDS) {
            return;
        }
        $this->reported = $now;
        if ($this->scheduler->busyNanoseconds !== $this->busyReported) {
            $this->busyReported = $this->scheduler->busyNanoseconds;
            $microseconds = intdiv($this->busyReported, 1000);
            $this->connection->send(Frame::STATUS, 0, pack('JJ', $microseconds, memory_get_usage(true)));
        }
    }

    /** When the connection has ended. Services get CallCancelled. */
    private function cancelAll(): void
    {
        foreach ([...$this->queue, ...$this->calls] as $call) {
            $this->cancel($call);
        }
    }

    /** Runs after exit or a fatal error too: whose call it was fails, and the others do not wait for nothing. */
    private function shutdown(): void
    {
        if ($this->ended) {
            return;
        }
        $this->ended = true;
        $this->reserve = '';
        ini_set('memory_limit', '-1');
        set_time_limit(self::SHUTDOWN_SECONDS);
        $this->scheduler->ending = true;
        $this->connection->send(Frame::EXIT, $this->unary->number ?? 0, '');
        // A message may be too large for the memory.
        $culprit = ($this->reading ? $this->receiving : null) ?? $this->scheduler->current;
        if ($culprit !== null) {
            RpcServer::logExit($culprit->method);
            self::shutdownCall($culprit, Status::status(STATUS_UNKNOWN, 'the script ended early'));
        }
        foreach ($this->calls as $call) {
            if ($call !== $culprit) {
                self::shutdownCall($call, Status::status(STATUS_UNAVAILABLE, 'another call has ended the worker'));
            }
        }
        $this->connection->close();
        Log::to(null);
    }

    /** @param array{code: int, details: string, metadata?: array<string, list<string>>} $status */
    private static function shutdownCall(Call $call, array $status): void
    {
        try {
            $call->output->shutdown($status);
        } catch (Throwable) {
            // Without credit for it: the end of the connection fails the call too.
        }
    }

    private function log(int $level, string $text): bool
    {
        if ($this->connection->closed) {
            return false;
        }
        $text = substr($text, 0, self::MAX_LOG_BYTES);
        if (preg_match('//u', $text) !== 1) {
            $text = (string) preg_replace('/[^\x20-\x7e\t\n]/', '?', $text);
        }
        $this->connection->send(Frame::LOG, $this->scheduler->current->number ?? 0, chr($level) . $text);
        return true;
    }
}
