<?php

declare(strict_types=1);

namespace Grpc\Tests;

/** The PHP of README.md's section about interceptors. */
final class ReadmeInterceptors
{
    /** Writes a script that adds them to $server, the one for the log first. */
    public static function write(string $file): void
    {
        $readme = file_get_contents(__DIR__ . '/../README.md');
        $section = substr($readme, strpos($readme, "\n## Interceptors\n"));
        $section = substr($section, 0, strpos($section, "\n## ", 1));
        preg_match_all('/^```php\n(.*?)^```$/ms', $section, $blocks);
        [$authentication, $log] = $blocks[1];
        $uses = ['CallCancelled', 'ForwardingWriter', 'InterceptedCall', 'StatusException'];
        $constants = ['STATUS_CANCELLED', 'STATUS_UNAUTHENTICATED', 'STATUS_UNKNOWN'];
        file_put_contents($file, "<?php\n\ndeclare(strict_types=1);\n\nuse Google\\Protobuf\\Internal\\Message;\n"
            . implode(array_map(static fn (string $name): string => "use Grpc\\$name;\n", $uses))
            . implode(array_map(static fn (string $name): string => "use const Grpc\\$name;\n", $constants))
            . "\n$log\n$authentication");
    }
}
