<?php

declare(strict_types=1);

namespace Tests;

use PHPUnit\Framework\TestCase;
use Shop\CallLog;

final class CallLogTest extends TestCase
{
    public function test_a_line_contains_the_trace_headers_of_the_call(): void
    {
        $line = CallLog::line('/item.ItemService/GetItem', 5, 'connect', 'json', [
            'x-request-id' => ['r'],
            'traceparent' => ['00-1-2-01'],
            'b3' => ['t-s-1'],
            'baggage' => ['a=1', 'b=2'],
            'authorization' => ['secret'],
        ]);
        self::assertSame(
            '{"path":"/item.ItemService/GetItem","grpc_code":"NotFound","protocol":"connect","codec":"json",'
                . '"x-request-id":"r","b3":"t-s-1","traceparent":"00-1-2-01","baggage":"a=1, b=2"}',
            $line,
        );
    }

    public function test_a_value_cannot_break_out_of_its_line(): void
    {
        $line = CallLog::line("/\n", 0, 'grpc', 'proto', ['baggage' => ["a\"\r\n{\"forged\":1}\xff\u{2028}"]]);
        self::assertDoesNotMatchRegularExpression('/[\x00-\x1f\x7f-\xff]/', $line);
        self::assertSame(['path', 'grpc_code', 'protocol', 'codec', 'baggage'], array_keys(json_decode($line, true)));
    }

    public function test_the_length_of_a_line_is_limited(): void
    {
        $long = str_repeat('é', 100_000);
        self::assertLessThan(8_000, strlen(CallLog::line($long, 0, 'grpc', 'proto', ['tracestate' => [$long]])));
    }
}
