<?php

declare(strict_types=1);

// A bidi stream repeats what has ended each of its waits. A unary call raises the signal that all of them wait for.

use Google\Protobuf\StringValue;
use Grpc\RpcServer;
use Grpc\ServerCallReader;
use Grpc\ServerCallWriter;
use Grpc\Signal;
use Grpc\Tests\ScriptedService;
use Grpc\Wait;

require __DIR__ . '/../autoload.php';
require __DIR__ . '/ScriptedService.php';

$signal = new Signal();
$raised = 0;

$wait = static function (ServerCallReader $reader, ServerCallWriter $writer) use ($signal, &$raised): void {
    $open = $reader;
    $seconds = null;
    for ($seen = $raised;; $seen = $raised) {
        $woken = Wait::first($open, $signal, seconds: $seconds);
        $event = match (true) {
            !$woken => 'time',
            $open?->ready() ?? false => $open->read()?->getValue() ?? 'end',
            $seen !== $raised => 'signal',
        };
        $writer->writeSerialized((new StringValue(['value' => $event]))->serializeToString());
        $open = $event === 'end' ? null : $open;
        $seconds = $event === 'soon' ? 0.01 : null;
    }
};

$server = new RpcServer();
$server->handle(new ScriptedService(static function (object $first, object $second) use ($wait, $signal, &$raised): StringValue {
    if ($first instanceof ServerCallReader && $second instanceof ServerCallWriter) {
        $wait($first, $second);
    }
    $raised++;
    $signal->raise();
    return new StringValue(['value' => 'raised']);
}));
$server->run();
