<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Google\Protobuf\Duration;
use Google\Protobuf\StringValue;
use Grpc\StatusException;
use InvalidArgumentException;
use PHPUnit\Framework\TestCase;

final class StatusExceptionTest extends TestCase
{
    public function test_it_returns_its_status(): void
    {
        $status = (new StatusException(5, 'none', [], ['x-a' => ['b']]))->status();
        self::assertSame(['code' => 5, 'details' => 'none', 'metadata' => ['x-a' => ['b']]], $status);
    }

    public function test_details_become_a_google_rpc_status(): void
    {
        $error = new StatusException(3, str_repeat('m', 200), [new Duration(['seconds' => 7]), new StringValue(['value' => 'v'])]);
        $duration = "\x0a\x2ctype.googleapis.com/google.protobuf.Duration\x12\x02\x08\x07";
        $value = "\x0a\x2ftype.googleapis.com/google.protobuf.StringValue\x12\x03\x0a\x01v";
        self::assertSame(
            ["\x08\x03\x12\xc8\x01" . str_repeat('m', 200) . "\x1a\x32$duration\x1a\x36$value"],
            $error->status()['metadata']['grpc-status-details-bin'],
        );
    }

    public function test_ok_is_refused(): void
    {
        $this->expectException(InvalidArgumentException::class);
        new StatusException(0);
    }
}
