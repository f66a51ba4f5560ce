<?php

declare(strict_types=1);

namespace Grpc\Tests;

use PHPUnit\Framework\TestCase;

/** Resident workers under php-fpm. */
abstract class ResidentTestCase extends TestCase
{
    protected const SCRIPT = __DIR__ . '/resident.php';

    protected static PhpFpm $phpFpm;
    private static string $notes;
    protected ResidentProxy $proxy;

    public static function setUpBeforeClass(): void
    {
        self::$notes = sys_get_temp_dir() . '/notes-' . bin2hex(random_bytes(8));
        self::$phpFpm = new PhpFpm(['NOTES' => self::$notes]);
    }

    public static function tearDownAfterClass(): void
    {
        self::$phpFpm->stop();
        unlink(self::$notes);
    }

    protected function setUp(): void
    {
        file_put_contents(self::$notes, '');
        $this->launch();
    }

    protected function tearDown(): void
    {
        if (!$this->proxy->closed) {
            $this->proxy->close();
            $this->proxy->request->rest();
        }
    }

    /** @param array<string, string> $variables */
    protected function launch(array $variables = []): void
    {
        $this->proxy = new ResidentProxy(self::$phpFpm, static::SCRIPT, $variables);
    }

    protected function execute(string $command): string
    {
        return self::text($this->proxy->answer($this->proxy->unary($command))[1]);
    }

    protected static function text(string $message): string
    {
        $value = new \Google\Protobuf\StringValue();
        $value->mergeFromString($message);
        return $value->getValue();
    }

    /** @return list<string> */
    protected static function notes(): array
    {
        return file(self::$notes, FILE_IGNORE_NEW_LINES);
    }

    protected static function awaitNote(string $note): void
    {
        for ($i = 0; $i < 1000 && !in_array($note, self::notes(), true); $i++) {
            usleep(5_000);
        }
        self::assertContains($note, self::notes());
    }

    /** @return array{resource, string} a listening socket, and its address */
    protected static function listener(): array
    {
        $listener = stream_socket_server('tcp://127.0.0.1:0');
        return [$listener, 'tcp://' . stream_socket_get_name($listener, false)];
    }
}
