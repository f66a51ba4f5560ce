<?php

declare(strict_types=1);

// A service with a method for each kind of call. The request of a unary or bidirectional call is a command to execute.

use Google\Protobuf\StringValue;
use Grpc\RpcServer;
use Grpc\ServerContext;
use Grpc\Tests\ScriptedService;

require __DIR__ . '/../autoload.php';
require __DIR__ . '/ScriptedService.php';

/** Records a step that the answer cannot show, because its client is gone. */
function note(string $text): void
{
    file_put_contents(getenv('NOTES'), "$text\n", FILE_APPEND);
}

function execute(string $command): StringValue
{
    match ($command) {
        'print' => print('printed'),
        'warn' => $undefined,
        'buffer' => [ob_start(), print('buffered')],
        'lock' => [ob_start(null, 0, 0), print('locked')],
        'unbuffer' => [ob_end_clean(), ob_start()],
        'end' => [ob_end_clean(), print('unguarded')],
        'end all' => [endAll(), print('unguarded')],
        'override' => register_shutdown_function(header(...), 'Grpc-Status: 3'),
        'exit' => exit,
        'exhaust' => [ini_set('memory_limit', '16M'), str_repeat('x', 1 << 26)],
        'headers' => [header('X-Powered-By: me'), header('Location: /elsewhere')],
        'throw' => throw new LogicException('secret'),
        default => null,
    };
    // The answer to this command is empty, so that PHP does not send its header fields at once.
    return new StringValue(['value' => $command === 'override' ? '' : $command]);
}

function endAll(): void
{
    while (ob_get_level() > 0) {
        ob_end_clean();
    }
}

$destroyed = new class {
    public function __destruct()
    {
        note('destructor');
    }
};

$method = static function (object $first, object $second, ?ServerContext $context = null): ?StringValue {
    // unary
    if ($first instanceof StringValue && $second instanceof ServerContext) {
        $second->setInitialMetadata(['www-authenticate' => ['Basic']]);
        return execute($first->getValue());
    }
    try {
        if ($first instanceof StringValue) {
            for ($i = 0; !$context->cancelled(); $i++) {
                $second->write(new StringValue(['value' => (string) $i]));
                usleep(1000);
            }
        } elseif ($second instanceof ServerContext) {
            for ($bytes = 0; $request = $first->read();) {
                $bytes += strlen($request->getValue());
            }
            note('whole');
            return new StringValue(['value' => (string) $bytes]);
        } else {
            while ($request = $first->read()) {
                $second->write(execute($request->getValue()));
            }
        }
    } finally {
        note('finally');
    }
    return null;
};

if (($_SERVER['PRINT_BEFORE'] ?? '') !== '') {
    echo $_SERVER['PRINT_BEFORE'];
    if (isset($_SERVER['FLUSH_BEFORE'])) {
        ob_end_flush();
        flush();
    }
}
$server = new RpcServer();
$server->handle(new ScriptedService($method));
$status = $server->run();
note("status $status");
echo 'printed after the answer';
