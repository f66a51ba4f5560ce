<?php

declare(strict_types=1);

namespace Grpc;

/** The answer to a unary call, in the form that the proxy takes: header fields and a bare message. */
final class Answer
{
    /**
     * @param array{code: int, details: string, metadata?: array<string, list<string>>} $status
     * @param array<string, list<string>> $initialMetadata
     */
    public function __construct(
        public readonly array $status,
        public readonly string $message = '',
        private readonly array $initialMetadata = [],
    ) {
    }

    /** @return list<string> header fields */
    public function fields(): array
    {
        $fields = ['Content-Type: application/grpc', "Grpc-Status: {$this->status['code']}"];
        if ($this->status['code'] !== STATUS_OK) {
            $fields[] = 'Grpc-Message: ' . self::percentEncode($this->status['details']);
        }
        foreach (self::entries($this->initialMetadata) as [$key, $value]) {
            $fields[] = "$key: $value";
        }
        foreach (self::entries($this->status['metadata'] ?? []) as [$key, $value]) {
            $fields[] = $key === Status::DETAILS_KEY ? "$key: $value" : "grpc-trailer-$key: $value";
        }
        return $fields;
    }

    public function send(): void
    {
        foreach ($this->fields() as $field) {
            header($field, false);
        }
        echo $this->message;
    }

    /**
     * @param array<string, list<string>> $metadata
     * @return iterable<array{string, string}>
     */
    private static function entries(array $metadata): iterable
    {
        foreach ($metadata as $key => $values) {
            foreach ($values as $value) {
                yield [$key, str_ends_with($key, '-bin') ? base64_encode($value) : $value];
            }
        }
    }

    /** "Percent-Byte-Unencoded → 1*( %x20-%x24 / %x26-%x7E )", says the gRPC protocol of grpc-message. */
    private static function percentEncode(string $text): string
    {
        return preg_replace_callback(
            '/[^\x20-\x24\x26-\x7E]/',
            static fn (array $byte): string => sprintf('%%%02X', ord($byte[0])),
            $text,
        );
    }
}
