<?php

declare(strict_types=1);

namespace Tests;

use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Shop\InvalidArgument;
use Shop\PageToken;

final class PageTokenTest extends TestCase
{
    public function test_an_empty_token_is_the_first_page(): void
    {
        self::assertSame('', PageToken::decode(''));
    }

    public function test_a_token_decodes_to_its_id(): void
    {
        foreach (['0', 'a☺', '6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7', str_repeat('z', 255)] as $id) {
            $token = PageToken::encode($id);
            self::assertMatchesRegularExpression('/^[A-Za-z0-9_-]+$/', $token);
            self::assertSame($id, PageToken::decode($token));
        }
    }

    /** @dataProvider invalidTokens */
    #[DataProvider('invalidTokens')]
    public function test_an_invalid_token_is_refused(string $token): void
    {
        $this->expectException(InvalidArgument::class);
        PageToken::decode($token);
    }

    /** @return array<string, array{string}> */
    public static function invalidTokens(): array
    {
        $token = PageToken::encode('6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7');
        return [
            'word' => ['bad'],
            'not base64' => ['!!!'],
            'an id' => ['6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7'],
            'truncated' => [substr($token, 0, -4)],
            'longer' => [$token . 'AAAA'],
            'padded' => [$token . '=='],
            'with a newline' => [$token . "\n"],
            'empty id' => [PageToken::encode('')],
            'not UTF-8' => [PageToken::encode("a\xff")],
        ];
    }
}
