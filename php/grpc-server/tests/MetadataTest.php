<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\Metadata;
use InvalidArgumentException;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

final class MetadataTest extends TestCase
{
    public function test_decodes_the_values_of_a_key_in_order(): void
    {
        $lines = "x-twice: one\nx-some-bin: q6ur\nx-twice: two: with a colon\nx-empty: \nx-some-bin: q6s\na_b.c: 1\n12: n\n";
        self::assertSame([
            'x-twice' => ['one', 'two: with a colon'],
            'x-some-bin' => ["\xab\xab\xab", "\xab\xab"],
            'x-empty' => [''],
            'a_b.c' => ['1'],
            12 => ['n'],
        ], Metadata::decode($lines));
        self::assertSame([], Metadata::decode(''));
    }

    public function test_encodes_binary_values(): void
    {
        $metadata = ['x-some-bin' => ["\0\r\n\xff", ''], 'x-text' => ['a', 'b'], 12 => ['n']];
        Metadata::checkInitial($metadata);
        self::assertSame(
            [['x-some-bin', 'AA0K/w=='], ['x-some-bin', ''], ['x-text', 'a'], ['x-text', 'b'], ['12', 'n']],
            Metadata::encode($metadata),
        );
    }

    /**
     * @dataProvider invalidMetadata
     * @param array<mixed> $metadata
     */
    #[DataProvider('invalidMetadata')]
    public function test_refuses_metadata_that_would_not_reach_the_client(array $metadata): void
    {
        $this->expectException(InvalidArgumentException::class);
        Metadata::checkTrailing($metadata);
    }

    public function test_the_reserved_keys_of_a_status_are_trailing_metadata(): void
    {
        $metadata = ['grpc-retry-pushback-ms' => ['-1'], 'grpc-status-details-bin' => ["\x08\x05"]];
        Metadata::checkTrailing($metadata);
        $this->expectExceptionMessage('the metadata key grpc-retry-pushback-ms is reserved');
        Metadata::checkInitial($metadata);
    }

    /** @return array<string, array{array<mixed>}> */
    public static function invalidMetadata(): array
    {
        return [
            'empty key' => [['' => ['a']]],
            'upper case' => [['X-A' => ['a']]],
            'space in a key' => [['x a' => ['a']]],
            'colon in a key' => [['x:a' => ['a']]],
            'line feed in a key' => [["x\na" => ['a']]],
            'pseudo-header' => [[':path' => ['a']]],
            'reserved' => [['grpc-status' => ['0']]],
            'header field of CGI' => [['status' => ['404']]],
            'header field that describes the body' => [['content-range' => ['bytes 0-1/2']]],
            'CR LF in a value' => [['x-a' => ["a\r\nset-cookie: b"]]],
            'NUL' => [['x-a' => ["\0"]]],
            'not ASCII' => [['x-a' => ['é']]],
            'larger than the proxy accepts' => [['x-a' => [str_repeat('v', 9000)], 'x-a-bin' => [str_repeat('v', 6000)]]],
            'tab' => [['x-a' => ["\t"]]],
            'value without a list' => [['x-a' => 'a']],
            'value that is not a string' => [['x-a' => [1]]],
        ];
    }
}
