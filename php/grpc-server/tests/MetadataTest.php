<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\Metadata;
use InvalidArgumentException;
use PHPUnit\Framework\TestCase;

final class MetadataTest extends TestCase
{
    public function test_values_of_a_key_are_decoded_in_order(): void
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

    public function test_binary_values_are_encoded(): void
    {
        $metadata = ['x-some-bin' => ["\0\r\n\xff", ''], 'x-text' => ['a', 'b'], 12 => ['n']];
        Metadata::check($metadata);
        self::assertSame(
            [['x-some-bin', 'AA0K/w=='], ['x-some-bin', ''], ['x-text', 'a'], ['x-text', 'b'], ['12', 'n']],
            Metadata::encode($metadata),
        );
    }

    /**
     * @dataProvider badMetadata
     * @param array<mixed> $metadata
     */
    public function test_what_a_client_would_not_get_is_refused(array $metadata): void
    {
        $this->expectException(InvalidArgumentException::class);
        Metadata::check($metadata);
    }

    /** @return array<string, array{array<mixed>}> */
    public static function badMetadata(): array
    {
        return [
            'no key' => [['' => ['a']]],
            'upper case' => [['X-A' => ['a']]],
            'space in a key' => [['x a' => ['a']]],
            'colon in a key' => [['x:a' => ['a']]],
            'line feed in a key' => [["x\na" => ['a']]],
            'pseudo-header' => [[':path' => ['a']]],
            'reserved' => [['grpc-status' => ['0']]],
            'the CGI answer\'s own' => [['status' => ['404']]],
            'CR LF in a value' => [['x-a' => ["a\r\nset-cookie: b"]]],
            'NUL' => [['x-a' => ["\0"]]],
            'not ASCII' => [['x-a' => ['é']]],
            'tab' => [['x-a' => ["\t"]]],
            'no list' => [['x-a' => 'a']],
            'no string' => [['x-a' => [1]]],
        ];
    }
}
