<?php

declare(strict_types=1);

// Starts the proxy as Connect's conformance runner asks for it: php server.php PROXY FLAG...
// https://github.com/connectrpc/conformance/blob/main/docs/testing_servers.md

use Connectrpc\Conformance\V1\ServerCompatRequest;
use Connectrpc\Conformance\V1\ServerCompatResponse;

require __DIR__ . '/autoload.php';

/** @return string a file that only this user can read */
function fileWith(string $content): string
{
    $file = tempnam(sys_get_temp_dir(), 'conformance-');
    file_put_contents($file, $content);
    register_shutdown_function('unlink', $file);
    return $file;
}

['length' => $length] = unpack('Nlength', (string) fread(STDIN, 4));
$request = new ServerCompatRequest();
$request->mergeFromString((string) stream_get_contents(STDIN, $length));

$flags = ['--address', '127.0.0.1:0', '--aux-address', '127.0.0.1:0'];
if ($request->getUseTls()) {
    $credentials = $request->getServerCreds();
    array_push($flags, '--tls-cert', fileWith($credentials->getCert()), '--tls-key', fileWith($credentials->getKey()));
}
if ($request->getClientTlsCert() !== '') {
    array_push($flags, '--tls-client-ca', fileWith($request->getClientTlsCert()));
}
if ($request->getMessageReceiveLimit() > 0) {
    array_push($flags, '--max-receive-message-size', (string) $request->getMessageReceiveLimit());
}
[, $proxy] = $argv;
$script = array_pop($argv);
// Ends with this script, which the runner may kill.
$command = ['setpriv', '--pdeathsig', 'TERM', $proxy, ...array_slice($argv, 2), ...$flags, $script];
$process = proc_open($command, [2 => ['pipe', 'w']], $pipes);

// The runner ends it.
pcntl_async_signals(true);
pcntl_signal(SIGTERM, static fn () => proc_terminate($process));

while (($line = fgets($pipes[2])) !== false) {
    fwrite(STDERR, $line);
    $record = json_decode($line, true);
    if (($record['message'] ?? '') === 'serving') {
        $port = (int) substr(strrchr($record['address'], ':'), 1);
        $response = new ServerCompatResponse(['host' => '127.0.0.1', 'port' => $port]);
        $response->setPemCert($request->getServerCreds()?->getCert() ?? '');
        $bytes = $response->serializeToString();
        fwrite(STDOUT, pack('N', strlen($bytes)) . $bytes);
    }
}
