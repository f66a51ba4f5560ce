<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Google\Protobuf\Any;
use Google\Protobuf\Duration;
use Google\Protobuf\Internal\Message;
use Google\Protobuf\StringValue;
use Grpc\StatusException;
use InvalidArgumentException;
use PHPUnit\Framework\TestCase;

use const Grpc\STATUS_INVALID_ARGUMENT;
use const Grpc\STATUS_NOT_FOUND;
use const Grpc\STATUS_OK;

final class StatusExceptionTest extends TestCase
{
    public function test_it_returns_its_status(): void
    {
        $status = (new StatusException(STATUS_NOT_FOUND, 'none', [], ['x-a' => ['b']]))->status();
        self::assertSame(['code' => STATUS_NOT_FOUND, 'details' => 'none', 'metadata' => ['x-a' => ['b']]], $status);
    }

    public function test_details_become_a_google_rpc_status(): void
    {
        $details = [new Duration(['seconds' => 7]), new StringValue(['value' => 'v'])];
        $error = new StatusException(STATUS_INVALID_ARGUMENT, str_repeat('m', 200), $details);
        $duration = "\x0a\x2ctype.googleapis.com/google.protobuf.Duration\x12\x02\x08\x07";
        $value = "\x0a\x2ftype.googleapis.com/google.protobuf.StringValue\x12\x03\x0a\x01v";
        self::assertSame(
            ["\x08\x03\x12\xc8\x01" . str_repeat('m', 200) . "\x1a\x32$duration\x1a\x36$value"],
            $error->status()['metadata']['grpc-status-details-bin'],
        );
    }

    public function test_a_packed_detail_is_not_packed_again(): void
    {
        $detail = new Duration(['seconds' => 7]);
        $packed = new Any();
        $packed->pack($detail);
        $bytes = static fn (Message $detail): array
            => (new StatusException(STATUS_NOT_FOUND, '', [$detail]))->status()['metadata']['grpc-status-details-bin'];
        self::assertSame($bytes($detail), $bytes($packed));
    }

    public function test_ok_is_refused(): void
    {
        $this->expectException(InvalidArgumentException::class);
        new StatusException(STATUS_OK);
    }
}
