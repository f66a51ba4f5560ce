<?php

declare(strict_types=1);

namespace Grpc\Tests;

use RuntimeException;

/** The example of the README, as it stands, in a folder of its own. Requires protoc and grpc_php_plugin. */
final class Example
{
    public readonly string $folder;

    /** @param string $option a line for chat.proto */
    public function __construct(string $option = '')
    {
        $this->folder = sys_get_temp_dir() . '/example-' . bin2hex(random_bytes(8));
        mkdir("$this->folder/generated", recursive: true);
        mkdir("$this->folder/vendor");
        $readme = (string) file_get_contents(dirname(__DIR__) . '/README.md');
        $proto = self::block($readme, '```proto', 'package chat;');
        $this->write('chat.proto', str_replace("package chat;\n", "package chat;\n$option", $proto));
        $this->write('index.php', self::block($readme, '```php', 'new RpcServer()'));
        $this->write('preload.php', self::block($readme, '```php', 'Preload::descriptors('));
        // Without Composer: what the README says of that, where the scripts look for Composer's file.
        $this->write('autoload.php', "<?php\n" . self::block($readme, '```php', 'spl_autoload_register('));
        $kit = var_export(dirname(__DIR__) . '/autoload.php', true);
        $this->write('vendor/autoload.php', "<?php\nrequire $kit;\nrequire __DIR__ . '/../autoload.php';\n");
        $this->run(self::commands($readme));
    }

    /** @param array<string, string> $replacements in a file */
    public function edit(string $name, array $replacements): void
    {
        $this->write($name, strtr((string) file_get_contents("$this->folder/$name"), $replacements));
    }

    public function write(string $name, string $content): void
    {
        file_put_contents("$this->folder/$name", $content);
    }

    public function remove(): void
    {
        exec('rm -rf ' . escapeshellarg($this->folder));
    }

    /** The block of code that contains a text. */
    private static function block(string $readme, string $fence, string $text): string
    {
        preg_match_all('/^' . $fence . '\n(.*?)^```$/ms', $readme, $blocks);
        $found = array_values(array_filter($blocks[1], static fn (string $block): bool => str_contains($block, $text)));
        return $found[0] ?? throw new RuntimeException("the README has no block with $text");
    }

    /** The indented lines with protoc. */
    private static function commands(string $readme): string
    {
        preg_match('/(?:^    .*\n)*^    protoc .*\n(?:^    .*\n)*/m', $readme, $lines);
        return $lines[0] ?? throw new RuntimeException('the README has no line with protoc');
    }

    private function run(string $commands): void
    {
        exec('cd ' . escapeshellarg($this->folder) . " && set -e\n$commands 2>&1", $output, $status);
        if ($status !== 0) {
            throw new RuntimeException("the commands of the README failed: " . implode("\n", $output));
        }
    }
}
