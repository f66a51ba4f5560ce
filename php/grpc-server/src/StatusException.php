<?php

declare(strict_types=1);

namespace Grpc;

use Google\Protobuf\Any;
use Google\Protobuf\Internal\Message;
use InvalidArgumentException;
use RuntimeException;
use Throwable;

/** Ends a call with a status. Everything but $previous goes to the client. */
final class StatusException extends RuntimeException
{
    /**
     * @param list<Message> $details the details of the google.rpc.Status; those that are Any already stay as they are
     * @param array<string, list<string>> $trailingMetadata
     */
    public function __construct(
        int $code,
        string $message = '',
        private readonly array $details = [],
        private readonly array $trailingMetadata = [],
        ?Throwable $previous = null,
    ) {
        if ($code === STATUS_OK) {
            throw new InvalidArgumentException('OK is not an error');
        }
        Metadata::checkTrailing($trailingMetadata);
        parent::__construct($message, $code, $previous);
    }

    /** @return array{code: int, details: string, metadata?: array<string, list<string>>} for ServerContext::setStatus() */
    public function status(): array
    {
        $metadata = $this->trailingMetadata;
        if ($this->details !== []) {
            $withDetails = [Metadata::STATUS_DETAILS => [$this->serializedDetails()]] + $metadata;
            if (Metadata::tooLarge($withDetails)) {
                Log::error('dropped the details of a status: they are too large');
            } else {
                $metadata = $withDetails;
            }
        }
        return Status::status((int) $this->code, $this->getMessage(), $metadata);
    }

    /** A google.rpc.Status, encoded by hand: the protobuf runtime has the class Any, but not Status. */
    private function serializedDetails(): string
    {
        $bytes = "\x08" . self::varint((int) $this->code) . "\x12" . self::prefixed(Trailers::cut($this->getMessage()));
        foreach ($this->details as $detail) {
            $bytes .= "\x1a" . self::prefixed(self::any($detail)->serializeToString());
        }
        return $bytes;
    }

    /** A detail of another service's status is packed already. */
    private static function any(Message $detail): Any
    {
        if ($detail instanceof Any) {
            return $detail;
        }
        $any = new Any();
        $any->pack($detail);
        return $any;
    }

    private static function prefixed(string $bytes): string
    {
        return self::varint(strlen($bytes)) . $bytes;
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
