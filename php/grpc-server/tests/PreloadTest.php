<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Google\Protobuf\StringValue;
use Google\Protobuf\Struct;
use Grpc\PreloadedPool;
use PHPUnit\Framework\TestCase;
use RuntimeException;

/** What an opcache.preload script of this package's makes of php-fpm. */
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

    public function test_nothing_is_said_of_it(): void
    {
        self::assertStringNotContainsString('PHP', self::$phpFpm->startLog);
    }

    public function test_messages_work_without_a_class_loaded_or_a_descriptor_parsed(): void
    {
        // Twice: what a worker keeps of its first call must not be in the way.
        for ($i = 0; $i < 4; $i++) {
            $report = self::report();
            self::assertSame(self::JSON, $report['json']);
            self::assertSame(['preloaded.php', 'autoload.php', 'constants.php'], $report['loaded']);
            self::assertSame(PreloadedPool::class, $report['pool']);
        }
    }

    public function test_descriptors_that_are_not_preloaded_are_made_as_ever(): void
    {
        self::assertSame('"other"', self::report()['other']);
    }

    /** @dataProvider messages */
    public function test_a_message_may_come_before_the_server(string $class): void
    {
        $report = self::report(['MESSAGE_BEFORE' => $class]);
        self::assertSame(self::JSON, $report['json']);
        self::assertSame('"other"', $report['other']);
    }

    /** @return array<string, array{class-string}> */
    public static function messages(): array
    {
        return ['of what is preloaded' => [Struct::class], 'of another file' => [StringValue::class]];
    }

    public function test_php_fpm_does_not_start_with_a_script_that_is_not_there(): void
    {
        $this->expectException(RuntimeException::class);
        $this->expectExceptionMessage('/nonexistent/preload.php');
        new PhpFpm([], '/nonexistent/preload.php');
    }

    public function test_php_fpm_does_not_start_with_descriptors_that_are_not_there(): void
    {
        $this->expectException(RuntimeException::class);
        $this->expectExceptionMessage('Class "GPBMetadata\Nothing" not found');
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
