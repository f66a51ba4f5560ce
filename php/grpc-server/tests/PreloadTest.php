<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Google\Protobuf\StringValue;
use Google\Protobuf\Struct;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use RuntimeException;

/** php-fpm with a preload script that uses this package. */
final class PreloadTest extends TestCase
{
    private const JSON = '{"a":{"b":[1,null,"c"]},"d":true}';

    private static PhpFpm $phpFpm;

    public static function setUpBeforeClass(): void
    {
        self::$phpFpm = new PhpFpm([], __DIR__ . '/preload.php');
    }

    public static function tearDownAfterClass(): void
    {
        self::$phpFpm->stop();
    }

    public function test_preloading_logs_nothing(): void
    {
        self::assertStringNotContainsString('PHP', self::$phpFpm->startLog);
    }

    public function test_messages_work_without_loading_a_class_or_parsing_a_descriptor(): void
    {
        // Each of the two workers twice: state from the first call must not affect the second one.
        for ($i = 0; $i < 4; $i++) {
            $report = self::report();
            self::assertJsonStringEqualsJsonString(self::JSON, $report['json']);
            self::assertSame(['preloaded.php', 'autoload.php', 'constants.php'], $report['loaded']);
            self::assertSame(Runtime::preloadedPool(), $report['pool']);
        }
    }

    public function test_other_descriptors_are_parsed_as_without_preloading(): void
    {
        self::assertSame('"other"', self::report()['other']);
    }

    /** @dataProvider messages */
    #[DataProvider('messages')]
    public function test_a_message_may_be_created_before_the_server(string $class): void
    {
        $report = self::report(['MESSAGE_BEFORE' => $class]);
        self::assertJsonStringEqualsJsonString(self::JSON, $report['json']);
        self::assertSame('"other"', $report['other']);
    }

    /** @return array<string, array{class-string}> */
    public static function messages(): array
    {
        return ['preloaded' => [Struct::class], 'not preloaded' => [StringValue::class]];
    }

    public function test_php_fpm_does_not_start_if_the_preload_script_is_missing(): void
    {
        $this->expectException(RuntimeException::class);
        $this->expectExceptionMessage('/nonexistent/preload.php');
        new PhpFpm([], '/nonexistent/preload.php');
    }

    public function test_php_fpm_does_not_start_if_descriptors_are_missing(): void
    {
        $this->expectException(RuntimeException::class);
        $this->expectExceptionMessage('GPBMetadata\Nothing is not a class that protoc generates');
        new PhpFpm([], __DIR__ . '/preload_nothing.php');
    }

    /**
     * @param array<string, string> $variables
     * @return array<string, mixed>
     */
    private static function report(array $variables = []): array
    {
        $call = self::$phpFpm->call(__DIR__ . '/preloaded.php', '/a/b', 'unary', $variables + [
            'JSON' => self::JSON,
            'CONTENT_LENGTH' => '0',
        ]);
        $call->endInput();
        $call->fields();
        return json_decode($call->rest(), true, flags: JSON_THROW_ON_ERROR);
    }
}
