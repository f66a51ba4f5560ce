<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\FrameFlags;
use Grpc\IncomingCall;
use Grpc\LoadReport;
use Grpc\ServerCallWriter;
use Grpc\ServerContext;
use InvalidArgumentException;
use PHPUnit\Framework\TestCase;

final class LoadReportTest extends TestCase
{
    public function test_a_report_is_a_message_of_protobuf(): void
    {
        self::assertSame('', (new LoadReport())->serializeToString());
        $half = '000000000000e03f';
        $report = new LoadReport(
            applicationUtilization: 0.5,
            cpuUtilization: 0.5,
            memoryUtilization: 0.5,
            utilization: ['u' => 0.5],
            requestCost: ['c' => 0.5],
            namedMetrics: ['n' => 0.5],
            callsPerSecond: 0.5,
            errorsPerSecond: 0.5,
        );
        $entry = static fn (string $name): string => '0c0a01' . bin2hex($name) . "11$half";
        $expected = "09$half" . "11$half" . '22' . $entry('c') . '2a' . $entry('u')
            . "31$half" . "39$half" . '42' . $entry('n') . "49$half";
        self::assertSame($expected, bin2hex($report->serializeToString()));
    }

    public function test_a_long_name_has_a_length_of_two_bytes(): void
    {
        $bytes = (new LoadReport(namedMetrics: [str_repeat('n', 300) => 1]))->serializeToString();
        self::assertSame('42b8020aac02', bin2hex(substr($bytes, 0, 6)));
        self::assertSame(315, strlen($bytes));
    }

    public function test_figures_out_of_their_range_are_refused(): void
    {
        foreach (
            [
                ['cpuUtilization' => -0.1],
                ['applicationUtilization' => NAN],
                ['callsPerSecond' => INF],
                ['memoryUtilization' => 1.1],
                ['utilization' => ['disk' => 1.1]],
                ['utilization' => ['disk' => '0.1']],
                ['requestCost' => ['rows' => NAN]],
                ['namedMetrics' => ["\xff" => 1.0]],
            ] as $invalid
        ) {
            self::assertRefused(static fn () => new LoadReport(...$invalid), json_encode(array_keys($invalid)));
        }
        self::assertSame(2.5, (new LoadReport(cpuUtilization: 2.5, namedMetrics: ['delta' => -3]))->cpuUtilization);
    }

    public function test_a_report_of_the_server_that_the_proxy_would_drop_is_refused(): void
    {
        $context = new ServerContext(new IncomingCall([]));
        $names = array_map(static fn (int $number): string => "n$number", range(1, 33));
        foreach (
            [
                new LoadReport(requestCost: ['rows' => 1]),
                new LoadReport(namedMetrics: array_fill_keys($names, 1.0)),
                new LoadReport(namedMetrics: [str_repeat('n', 2048) => 1.0]),
            ] as $report
        ) {
            self::assertRefused(static fn () => $context->setServerLoad($report), 'a report');
        }
        self::assertNull($context->serverLoad());
    }

    public function test_a_unary_call_reports_in_its_header_fields(): void
    {
        $call = new Call('Unary', Call::message('a'), static function ($request, ServerContext $context) {
            $context->setLoadReport(new LoadReport(cpuUtilization: 0.5));
            $context->setServerLoad(new LoadReport(memoryUtilization: 0.5));
            return $request;
        });
        self::assertSame(
            ['grpc-server-load-bin: ' . self::half(2), 'grpc-status: 0', 'grpc-trailer-endpoint-load-metrics-bin: ' . self::half(1)],
            $call->output->fields,
        );
    }

    public function test_a_stream_reports_in_its_trailers_and_on_the_server_at_once(): void
    {
        $service = static function ($request, ServerCallWriter $writer, ServerContext $context): void {
            $context->setServerLoad(new LoadReport(cpuUtilization: 0.5));
            $writer->write($request);
            $context->setServerLoad(new LoadReport(memoryUtilization: 0.5));
            $context->setLoadReport(new LoadReport(cpuUtilization: 0.5));
        };
        $call = new Call('ServerStream', Call::messages('a'), $service);
        self::assertSame(['grpc-server-load-bin: ' . self::half(1)], $call->output->fields);
        [, $frame, ] = $call->output->frames();
        self::assertSame([FrameFlags::SERVER_LOAD, base64_decode(self::half(2))], $frame);
        self::assertSame(['grpc-status: 0', 'endpoint-load-metrics-bin: ' . self::half(1)], $call->output->trailerLines());
    }

    /** A field with the value 0.5, in base64. */
    private static function half(int $field): string
    {
        return base64_encode(chr($field << 3 | 1) . pack('e', 0.5));
    }

    private static function assertRefused(callable $act, string $what): void
    {
        try {
            $act();
        } catch (InvalidArgumentException) {
            return;
        }
        self::fail("$what is not refused");
    }
}
