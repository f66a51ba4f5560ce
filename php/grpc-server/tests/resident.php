<?php

declare(strict_types=1);

// A service for resident workers. A request is a command to execute, with an argument behind a space.

use Google\Protobuf\StringValue;
use Grpc\Resident\ListeningSocket;
use Grpc\RpcServer;
use Grpc\ServerCallReader;
use Grpc\ServerCallWriter;
use Grpc\ServerContext;
use Grpc\Tests\ScriptedService;
use Grpc\Wait;

require __DIR__ . '/../autoload.php';
require __DIR__ . '/ScriptedService.php';

/** Records a step that no answer can show. */
function note(string $text): void
{
    file_put_contents(getenv('NOTES'), "$text\n", FILE_APPEND);
}

function execute(string $request, ServerContext $context): string
{
    static $count = 0;
    static $kept = [];
    [$command, $argument] = explode(' ', $request, 2) + [1 => ''];
    return match ($command) {
        'count' => (string) ++$count,
        'print' => (string) print('printed'),
        'buffer' => (string) (ob_start() && print('buffered')),
        'unbuffer' => (string) (int) ob_end_clean(),
        'lock' => (string) (int) ob_start(null, 0, 0),
        'warn' => (string) $undefined,
        'log' => (string) (int) error_log('logged by the service'),
        'throw' => throw new LogicException('secret'),
        'exit' => exit,
        'exhaust' => str_repeat('x', 1 << 30),
        'spin' => spin(),
        'keep' => (string) strlen($kept[] = str_repeat('x', (int) $argument)),
        'secret' => secret($argument),
        'client' => "{$context->clientProtocol()} {$context->clientCodec()}",
        'tls' => json_encode([$context->peer(), $context->tls()], JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE),
        'about' => implode('|', [$context->peer(), $context->host(), $context->deadline() == Grpc\Timeval::zero()
            ->add(new Grpc\Timeval(1_000_000)) ? 'deadline' : '', json_encode($context->clientMetadata())]),
        'change' => change(),
        'state' => state(),
        'collect' => (string) gc_collect_cycles(),
        'wait' => awaitSocket($argument),
        'block' => (string) fgets(stream_socket_client($argument)),
        'sleep' => sleepWithoutHolding((float) $argument),
        'fiber' => inFiber(static fn (): string => awaitSocket($argument)),
        'fiber-sleep' => inFiber(static fn (): string => sleepWithoutHolding(0.01)) . ' ' . sleepWithoutHolding((float) $argument),
        'hold' => (string) usleep((int) ((float) $argument * 1e6)),
        'poll' => poll($context),
        'ends' => (string) $context->endWithWorker(),
        'reloaded' => awaitReload(),
        'large' => str_repeat('x', (int) $argument),
        default => $request,
    };
}

function spin(): never
{
    set_time_limit(1);
    while (true);
}

/** Whether the secret is still in a variable. */
function secret(string $secret): string
{
    $found = false;
    $seen = [$GLOBALS, $_SERVER, $_ENV];
    array_walk_recursive($seen, static function ($value) use ($secret, &$found): void {
        $found = $found || $value === $secret;
    });
    return $found ? 'found' : 'hidden';
}

function change(): string
{
    error_reporting(0);
    ini_set('precision', '3');
    ini_set('memory_limit', '1G');
    set_time_limit(99);
    date_default_timezone_set('Asia/Tokyo');
    setlocale(LC_ALL, 'C.UTF-8');
    set_error_handler(static fn (): bool => true);
    set_error_handler(static fn (): bool => false);
    return 'changed';
}

function state(): string
{
    $handler = set_error_handler(null);
    restore_error_handler();
    $settings = array_map(ini_get(...), ['precision', 'memory_limit', 'max_execution_time']);
    return json_encode([
        error_reporting(), $settings, date_default_timezone_get(), setlocale(LC_ALL, '0'), $handler !== null,
    ]);
}

function awaitSocket(string $argument): string
{
    [$address, $seconds] = explode(' ', $argument) + [1 => null];
    $socket = stream_socket_client($address);
    note('waits');
    return Wait::readable($socket, $seconds === null ? null : (float) $seconds) ? (string) fgets($socket) : 'nothing';
}

function sleepWithoutHolding(float $seconds): string
{
    $began = microtime(true);
    Wait::sleep($seconds);
    return microtime(true) - $began >= $seconds ? 'slept' : 'woken';
}

function inFiber(Closure $function): string
{
    $fiber = new Fiber($function);
    $fiber->start();
    return $fiber->getReturn();
}

function poll(ServerContext $context): string
{
    note('polls');
    while (!$context->cancelled());
    note('cancelled');
    return 'cancelled';
}

function awaitReload(): string
{
    $socket = new ListeningSocket();
    note('waits');
    while (!$socket->closed()) {
        usleep(1000);
    }
    return 'reloaded';
}

$method = static function (object $first, object $second, ?ServerContext $context = null): ?StringValue {
    if ($first instanceof StringValue && $second instanceof ServerContext) {
        return new StringValue(['value' => execute($first->getValue(), $second)]);
    }
    try {
        if ($first instanceof StringValue) {
            while (true) {
                $second->write($first);
            }
        }
        if ($second instanceof ServerContext) {
            for ($bytes = 0; $request = $first->read();) {
                $bytes += strlen($request->getValue());
            }
            return new StringValue(['value' => (string) $bytes]);
        }
        assert($first instanceof ServerCallReader && $second instanceof ServerCallWriter);
        while ($request = $first->read()) {
            $second->write(new StringValue(['value' => execute($request->getValue(), $context)]));
        }
    } finally {
        note('finally');
    }
    return null;
};

if (isset($_SERVER['QUIT_AT_BOOT'])) {
    // As a reload does: SIGQUIT.
    posix_kill(getmypid(), 3);
}
ini_set('max_execution_time', '30');
ini_set('memory_limit', $_SERVER['MEMORY_LIMIT'] ?? '512M');
$server = new RpcServer();
$server->handle(new ScriptedService($method));
if (!isset($_SERVER['NO_HOOK'])) {
    $server->afterCall(static function (ServerContext $context, int $status): void {
        note("after {$context->method()} $status");
        if (isset($_SERVER['HOOK_FAILS'])) {
            throw new LogicException('of the hook');
        }
    });
}
$server->beforeEnd(static fn () => note('end'));
$status = $server->run();
note("status $status");
