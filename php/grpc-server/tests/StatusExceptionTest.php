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
    use CapturedLog;

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

    public function test_details_that_are_too_large_are_dropped_and_the_code_stays(): void
    {
        $error = new StatusException(STATUS_NOT_FOUND, 'none', [new StringValue(['value' => str_repeat('v', 13_000)])]);
        self::assertSame(['code' => STATUS_NOT_FOUND, 'details' => 'none'], $error->status());
        self::assertStringContainsString('dropped the details of a status', $this->log());
    }

    public function test_a_long_message_is_cut_in_the_details_too(): void
    {
        $error = new StatusException(STATUS_NOT_FOUND, str_repeat('m', 60_000), [new Duration()]);
        $details = $error->status()['metadata']['grpc-status-details-bin'][0];
        self::assertStringContainsString('m [truncated]', $details);
        self::assertLessThan(5000, strlen($details));
    }

    public function test_ok_is_refused(): void
    {
        $this->expectException(InvalidArgumentException::class);
        new StatusException(STATUS_OK);
    }
}
