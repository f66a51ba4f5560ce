<?php

declare(strict_types=1);

namespace Grpc;

use InvalidArgumentException;

/**
 * What a service reports on its load to clients that balance by it: ORCA, an xds.data.orca.v3.OrcaLoadReport. 0 means that a
 * figure is not reported. The proxy needs --load-reports.
 */
final class LoadReport
{
    /** The key of the report of a call in its trailing metadata. */
    public const CALL = 'endpoint-load-metrics-bin';

    /** The header field of a report of the whole server, which no client gets. */
    public const SERVER = 'grpc-server-load-bin';

    /** What the proxy takes of a report of the whole server: the trailers of each call contain it. */
    private const MAX_BYTES = 2048;
    private const MAX_NAMES = 32;

    // Types of protobuf's wire format, with which the number of a field makes its tag.
    private const FIXED64 = 1;
    private const BYTES = 2;

    /**
     * @param float $applicationUtilization from 0 upwards; above 1, there is more work than can be done at once. Clients prefer
     * it to $cpuUtilization
     * @param float $cpuUtilization from 0 upwards; 1 is the whole CPU
     * @param float $memoryUtilization from 0 to 1
     * @param array<string, float> $utilization of other resources, by name, from 0 to 1
     * @param array<string, float> $requestCost what one call has cost, by name; not for the whole server
     * @param array<string, float> $namedMetrics whatever else, by name
     * @throws InvalidArgumentException
     */
    public function __construct(
        public readonly float $applicationUtilization = 0.0,
        public readonly float $cpuUtilization = 0.0,
        public readonly float $memoryUtilization = 0.0,
        public readonly array $utilization = [],
        public readonly array $requestCost = [],
        public readonly array $namedMetrics = [],
        public readonly float $callsPerSecond = 0.0,
        public readonly float $errorsPerSecond = 0.0,
    ) {
        foreach (['applicationUtilization', 'cpuUtilization', 'callsPerSecond', 'errorsPerSecond'] as $amount) {
            self::check($amount, $this->$amount, 0.0, PHP_FLOAT_MAX);
        }
        self::check('memoryUtilization', $memoryUtilization, 0.0, 1.0);
        self::checkAll('utilization', $utilization, 0.0, 1.0);
        self::checkAll('requestCost', $requestCost, -PHP_FLOAT_MAX, PHP_FLOAT_MAX);
        self::checkAll('namedMetrics', $namedMetrics, -PHP_FLOAT_MAX, PHP_FLOAT_MAX);
    }

    /** The report as a message of protobuf. */
    public function serializeToString(): string
    {
        return self::double(1, $this->cpuUtilization)
            . self::double(2, $this->memoryUtilization)
            . self::map(4, $this->requestCost)
            . self::map(5, $this->utilization)
            . self::double(6, $this->callsPerSecond)
            . self::double(7, $this->errorsPerSecond)
            . self::map(8, $this->namedMetrics)
            . self::double(9, $this->applicationUtilization);
    }

    /** @throws InvalidArgumentException if the proxy would drop the report of a whole server */
    public function checkServer(): void
    {
        if ($this->requestCost !== []) {
            throw new InvalidArgumentException('the whole server has no requestCost');
        }
        $names = count($this->utilization) + count($this->namedMetrics);
        if ($names > self::MAX_NAMES || strlen($this->serializeToString()) > self::MAX_BYTES) {
            throw new InvalidArgumentException(
                'the report of the server has more than ' . self::MAX_NAMES . ' names or ' . self::MAX_BYTES . ' bytes',
            );
        }
    }

    /** @param array<mixed> $values */
    private static function checkAll(string $what, array $values, float $least, float $most): void
    {
        foreach ($values as $name => $value) {
            if (preg_match('//u', (string) $name) !== 1) {
                throw new InvalidArgumentException("$what: a name must be UTF-8");
            }
            if (!is_float($value) && !is_int($value)) {
                throw new InvalidArgumentException("$what: the values must be numbers");
            }
            self::check("$what of $name", (float) $value, $least, $most);
        }
    }

    private static function check(string $what, float $value, float $least, float $most): void
    {
        // NAN is neither.
        if (!($value >= $least && $value <= $most)) {
            $range = $most === 1.0 ? 'from 0 to 1' : 'finite' . ($least === 0.0 ? ' and not negative' : '');
            throw new InvalidArgumentException("$what must be $range");
        }
    }

    private static function double(int $field, float $value): string
    {
        return $value === 0.0 ? '' : chr($field << 3 | self::FIXED64) . pack('e', $value);
    }

    /** @param array<string, float> $values */
    private static function map(int $field, array $values): string
    {
        $entries = '';
        foreach ($values as $name => $value) {
            $name = (string) $name;
            $entry = chr(1 << 3 | self::BYTES) . self::varint(strlen($name)) . $name
                . chr(2 << 3 | self::FIXED64) . pack('e', $value);
            $entries .= chr($field << 3 | self::BYTES) . self::varint(strlen($entry)) . $entry;
        }
        return $entries;
    }

    private static function varint(int $number): string
    {
        $bytes = '';
        for (; $number > 0x7f; $number >>= 7) {
            $bytes .= chr($number & 0x7f | 0x80);
        }
        return $bytes . chr($number);
    }
}
