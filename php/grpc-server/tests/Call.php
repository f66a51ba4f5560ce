<?php

declare(strict_types=1);

namespace Grpc\Tests;

use Closure;
use Google\Protobuf\StringValue;
use Grpc\FrameFlags;
use Grpc\IncomingCall;
use Grpc\RpcServer;

/** A call of a ScriptedService method, over streams in memory. */
final class Call
{
    private const KINDS = [
        'Unary' => 'unary',
        'ServerStream' => 'server_stream',
        'ClientStream' => 'client_stream',
        'BidiStream' => 'bidi_stream',
    ];

    public readonly RecordedOutput $output;
    public readonly int $status;

    /**
     * @param string $input the content of php://input
     * @param array<string, string> $variables
     * @param list<Closure> $interceptors
     */
    public function __construct(
        string $name,
        string $input,
        Closure $method,
        array $variables = [],
        ?RecordedOutput $output = null,
        array $interceptors = [],
    ) {
        $this->output = $output ?? new RecordedOutput();
        $server = new RpcServer();
        $server->handle(new ScriptedService($method));
        array_walk($interceptors, $server->intercept(...));
        $variables += ['REQUEST_URI' => "/test.Scripted/$name", 'GRPC_CALL_KIND' => self::KINDS[$name] ?? 'unary'];
        $this->status = $server->serve(new IncomingCall($variables, self::stream($input)), $this->output);
    }

    public static function message(string $text): string
    {
        return (new StringValue(['value' => $text]))->serializeToString();
    }

    /** A frame for each text. */
    public static function messages(string ...$texts): string
    {
        return implode(array_map(static fn (string $text): string => Frames::encode(self::message($text)), $texts));
    }

    /** @return list<string> the text of each message in the answer */
    public function texts(): array
    {
        $texts = [];
        foreach ($this->output->frames() as [$flags, $content]) {
            if ($flags <= FrameFlags::COMPRESSED) {
                $value = new StringValue();
                $value->mergeFromString($content);
                $texts[] = $value->getValue();
            }
        }
        return $texts;
    }

    /** @return resource */
    public static function stream(string $bytes)
    {
        $stream = fopen('php://memory', 'w+b');
        fwrite($stream, $bytes);
        rewind($stream);
        return $stream;
    }
}
