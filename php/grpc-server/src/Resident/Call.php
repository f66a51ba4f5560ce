<?php

declare(strict_types=1);

namespace Grpc\Resident;

use Fiber;
use Grpc\IncomingCall;
use Grpc\Input;
use Grpc\MethodDescriptor;
use Grpc\ServerContext;

/** A call of a resident worker: its input so far, and what it waits for. */
final class Call implements Input
{
    // What a suspended call waits for.
    public const INPUT = 0x01;
    public const CREDIT = 0x02;
    public const TIME = 0x04;
    public const STREAM = 0x08;
    public const TURN = 0x10;
    public const MEMORY = 0x20;
    public const SIGNAL = 0x40;
    public const ANYTHING = 0xff;

    /** A call whose last turns were so many short ones is expected to go on so. */
    private const QUICK_TURNS = 8;

    /** Of what a call prints. */
    public const STRAY_BYTES_LOGGED = 1000;

    /** Credit is returned when so much of it has been used, not for each message. */
    private const CREDIT_STEP = Frame::FIRST_CREDIT / 2;

    public readonly bool $unary;
    public readonly string $method;
    public IncomingCall $incoming;
    public ServerContext $context;
    public CallOutput $output;

    /** What runs its method; null before that. */
    public ?Fiber $fiber = null;

    /** Whether the fiber is suspended, and by this package. */
    public bool $suspended = false;

    /** 0 unless it waits. */
    public int $waitsFor = 0;
    public int $wokenBy = 0;

    /** How many of its last turns were short. */
    public int $shortTurns = 0;

    public bool $cancelled = false;

    /** Whether it does not go on when the worker is to end. */
    public bool $endsWithWorker = false;
    public int $strayBytesLeft = self::STRAY_BYTES_LOGGED;

    /** How many bytes of the answer may be sent, if the call streams. */
    public int $credit = Frame::FIRST_CREDIT;

    private string $input = '';
    private int $at = 0;
    private bool $inputEnded = false;

    /** How many bytes of input the proxy may send, and how many of those that it has sent are taken but not returned as credit. */
    private int $window = Frame::FIRST_CREDIT;
    private int $taken = 0;

    /** @param array<string, mixed> $variables */
    public function __construct(
        public readonly int $number,
        array $variables,
        private readonly Scheduler $scheduler,
        private readonly Connection $connection,
        private readonly MessageMemory $memory,
    ) {
        $this->incoming = new IncomingCall($variables, $this);
        $this->method = $this->incoming->method;
        $this->unary = $this->incoming->kind === MethodDescriptor::UNARY_CALL;
        $this->output = new CallOutput($this, $scheduler, $connection);
        $this->context = new ServerContext($this->incoming, $this->output);
    }

    /** Breaks the circles of references, so that PHP frees the call when it is over. */
    public function release(): void
    {
        unset($this->incoming, $this->context, $this->output);
    }

    /** @throws ProtocolError */
    public function addInput(string $bytes, bool $end): void
    {
        if ($this->inputEnded) {
            if ($this->cancelled) {
                return;
            }
            throw new ProtocolError('input after its end');
        }
        if (!$this->unary) {
            $this->window -= strlen($bytes);
            if ($this->window < 0) {
                throw new ProtocolError('more input than the credit');
            }
        }
        if ($this->at > 0) {
            $this->input = substr($this->input, $this->at);
            $this->at = 0;
        }
        $this->input .= $bytes;
        $this->inputEnded = $end;
        $this->scheduler->wake($this, self::INPUT);
    }

    public function addCredit(int $bytes): void
    {
        $this->credit += $bytes;
        $this->scheduler->wake($this, self::CREDIT);
    }

    public function cancel(): void
    {
        $this->cancelled = true;
        $this->inputEnded = true;
        $this->scheduler->wake($this, self::ANYTHING);
    }

    public function isQuick(): bool
    {
        return $this->shortTurns >= self::QUICK_TURNS;
    }

    /** Whether the whole message of a unary call is there. */
    public function ready(): bool
    {
        return $this->inputEnded;
    }

    public function all(): string
    {
        $input = $this->input;
        $this->input = '';
        return $input;
    }

    public function bytes(int $length): string
    {
        if ($this->input !== '' || $this->inputEnded) {
            $this->scheduler->giveTurn($this);
        }
        if ($length <= Frame::FIRST_CREDIT) {
            return $this->awaitBytes($length);
        }
        $this->memory->take($this, $length);
        try {
            return $this->awaitBytes($length);
        } finally {
            $this->memory->give($length);
        }
    }

    public function arrived(): bool
    {
        return $this->input !== '' || $this->inputEnded;
    }

    private function awaitBytes(int $length): string
    {
        $bytes = $this->take($length);
        while (strlen($bytes) < $length && !$this->inputEnded) {
            $this->scheduler->suspend($this, self::INPUT);
            $bytes .= $this->take($length - strlen($bytes));
        }
        return $bytes;
    }

    private function take(int $length): string
    {
        $bytes = substr($this->input, $this->at, $length);
        $this->at += strlen($bytes);
        $this->taken += strlen($bytes);
        if ($this->at === strlen($this->input)) {
            $this->input = '';
            $this->at = 0;
        }
        if ($this->taken >= self::CREDIT_STEP && !$this->inputEnded) {
            $this->connection->send(Frame::CREDIT, $this->number, pack('N', $this->taken));
            $this->window += $this->taken;
            $this->taken = 0;
        }
        return $bytes;
    }
}
