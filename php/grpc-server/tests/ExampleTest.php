<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Grpc\FrameFlags;
use PHPUnit\Framework\TestCase;

/** The example of the README, with and without its preload script. */
final class ExampleTest extends TestCase
{
    private const OK = [FrameFlags::TRAILERS, "grpc-status: 0\r\n"];

    private ?Example $example = null;
    private ?PhpFpm $phpFpm = null;

    protected function tearDown(): void
    {
        $this->phpFpm?->stop();
        $this->example?->remove();
    }

    public function test_serves_calls_of_all_kinds(): void
    {
        $this->start();
        $this->assertAnswers();
    }

    public function test_serves_the_same_with_the_preload_script(): void
    {
        $this->start('preload.php');
        self::assertMatchesRegularExpression('/preloading: .*ChatClient.php is left out: .*BaseStub/', $this->phpFpm->startLog);
        $this->assertAnswers();
    }

    public function test_preloading_leaves_nothing_to_load(): void
    {
        $this->start('preload.php');
        $this->assertPreloaded();
    }

    /** Preloading looked for the namespace GPBMetadata only, so that each call parsed the descriptors. */
    public function test_metadata_classes_may_be_in_any_namespace(): void
    {
        $this->example = new Example("option php_metadata_namespace = \"Meta\\\\Of\";\n");
        $this->example->edit('preload.php', ['GPBMetadata\\Chat' => 'Meta\\Of\\Chat']);
        $this->start('preload.php');
        $this->assertPreloaded();
    }

    public function test_a_folder_that_does_not_exist_is_left_out(): void
    {
        $this->example = new Example();
        $this->example->edit('preload.php', ['/generated' => '/generated\', \'/nonexistent']);
        $this->start('preload.php');
        self::assertStringContainsString('preloading: no such folder: /nonexistent', $this->phpFpm->startLog);
        $this->assertAnswers();
    }

    private function start(?string $preload = null): void
    {
        $this->example ??= new Example();
        $this->phpFpm = new PhpFpm([], $preload === null ? null : "{$this->example->folder}/$preload");
    }

    private function assertAnswers(): void
    {
        self::assertSame(self::line('You said: hi'), $this->unary('index.php', 'hi')[1]);
        $fields = $this->unary('index.php', '')[0];
        self::assertContains('grpc-status: 3', $fields);
        self::assertContains('grpc-message: say something', $fields);

        self::assertSame([[0, "\x08\x02"], self::OK], $this->stream('Collect', 'client_stream', 'a', 'b'));
        $talk = $this->stream('Talk', 'bidi_stream', 'abc');
        self::assertSame([0, self::line('cba')], $talk[0]);
        self::assertStringContainsString("x-mood: good\r\n", $talk[1][1]);

        $repeat = $this->call('index.php', 'Repeat', 'server_stream');
        $repeat->send(Frames::encode(self::line('again')));
        $repeat->endInput();
        $repeat->fields();
        // The example asks for compression.
        self::assertSame([FrameFlags::COMPRESSED, self::line('again')], $repeat->frame());
        $repeat->close();
    }

    private function assertPreloaded(): void
    {
        $this->example->write('loaded.php', <<<'PHP'
            <?php
            require __DIR__ . '/index.php';
            $pool = Google\Protobuf\Internal\DescriptorPool::getGeneratedPool()::class;
            error_log('loaded ' . implode(' ', array_map(basename(...), get_included_files())) . " with $pool;");
            PHP);
        $call = $this->call('loaded.php', 'Say', 'unary', ['CONTENT_LENGTH' => '0']);
        $call->endInput();
        $call->fields();
        $call->rest();
        $files = 'loaded.php index.php autoload.php autoload.php constants.php autoload.php';
        self::assertStringContainsString("loaded $files with " . Runtime::preloadedPool() . ';', $call->log);
    }

    /** @return array{list<string>, string} header fields and message */
    private function unary(string $script, string $text): array
    {
        $message = $text === '' ? '' : self::line($text);
        $call = $this->call($script, 'Say', 'unary', ['CONTENT_LENGTH' => (string) strlen($message)]);
        $call->send($message);
        $call->endInput();
        return [$call->fields(), $call->rest()];
    }

    /** @return list<array{int, string}> */
    private function stream(string $method, string $kind, string ...$texts): array
    {
        $call = $this->call('index.php', $method, $kind);
        array_walk($texts, static fn (string $text) => $call->send(Frames::encode(self::line($text))));
        $call->endInput();
        $call->fields();
        return Frames::decode($call->rest());
    }

    /** @param array<string, string> $variables */
    private function call(string $script, string $method, string $kind, array $variables = []): FastCgiCall
    {
        return $this->phpFpm->call("{$this->example->folder}/$script", "/chat.Chat/$method", $kind, $variables);
    }

    /** A chat.Line. */
    private static function line(string $text): string
    {
        return "\x0a" . chr(strlen($text)) . $text;
    }
}
