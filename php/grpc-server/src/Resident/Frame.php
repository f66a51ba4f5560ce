<?php

declare(strict_types=1);

namespace Grpc\Resident;

use SensitiveParameter;

/** A frame between the proxy and a resident worker (grpc-fcgi-proxy/BINDING.md). */
final class Frame
{
    public const HELLO = 0x01;
    public const CALL = 0x02;
    public const DATA = 0x03;
    public const END = 0x04;
    public const CREDIT = 0x05;
    public const CANCEL = 0x06;
    public const LOG = 0x07;
    public const RETIRE = 0x08;
    public const STATUS = 0x09;
    public const EXIT = 0x0a;

    public const HEADER_BYTES = 8;
    public const MAX_PAYLOAD = 1 << 20;

    /** The bytes of input, or of an answer, that a streaming call may send before it gets credit. */
    public const FIRST_CREDIT = 65_536;

    private const VERSION = 1;

    // In the payload of CALL.
    private const CALL_HEADER_BYTES = 20;
    private const CALL_HEADER = 'Ckind/Cflags/npath/nauthority/npeer/Nmetadata/Jdeadline';
    private const COMPRESSED = 0x01;
    private const INPUT_ENDS = 0x02;
    private const FOREIGN_CODEC = 0x04;
    private const PROTOCOL_SHIFT = 3;
    private const CODEC_SHIFT = 5;
    private const PROTOCOLS = ['grpc', 'grpc-web', 'connect', 'rest'];
    private const CODECS = ['proto', 'json', 'other', ''];
    private const KINDS = ['unary', 'client_stream', 'server_stream', 'bidi_stream'];

    /** The payload of HELLO. */
    public static function hello(#[SensitiveParameter] string $secret): string
    {
        return chr(self::VERSION) . $secret . pack('N', getmypid());
    }

    /**
     * @return array{array<string, mixed>, string, bool} meta-variables, the first bytes of the input, whether they are all of it
     * @throws ProtocolError
     */
    public static function decodeCall(string $payload): array
    {
        if (strlen($payload) < self::CALL_HEADER_BYTES) {
            throw new ProtocolError('a CALL is shorter than its header');
        }
        /** @var array{kind: int, flags: int, path: int, authority: int, peer: int, metadata: int, deadline: int} $call */
        $call = unpack(self::CALL_HEADER, $payload);
        $at = self::CALL_HEADER_BYTES;
        $input = $at + $call['path'] + $call['authority'] + $call['peer'] + $call['metadata'];
        if (strlen($payload) < $input) {
            throw new ProtocolError('a CALL is shorter than its lengths say');
        }
        $peer = substr($payload, $at + $call['path'] + $call['authority'], $call['peer']);
        $variables = [
            'GRPC_CALL_KIND' => self::KINDS[$call['kind']] ?? throw new ProtocolError("unknown kind of call $call[kind]"),
            'GRPC_CLIENT_PROTOCOL' => self::PROTOCOLS[$call['flags'] >> self::PROTOCOL_SHIFT & 0x03],
            'GRPC_CLIENT_CODEC' => self::CODECS[$call['flags'] >> self::CODEC_SHIFT & 0x03],
            'GRPC_MESSAGE_COMPRESSED' => ($call['flags'] & self::COMPRESSED) !== 0 ? '1' : '0',
            'CONTENT_TYPE' => ($call['flags'] & self::FOREIGN_CODEC) !== 0 ? 'application/grpc+other' : 'application/grpc',
            'REQUEST_URI' => substr($payload, $at, $call['path']),
            'HTTP_HOST' => substr($payload, $at += $call['path'], $call['authority']),
            'REMOTE_ADDR' => $peer,
            'GRPC_METADATA' => substr($payload, $at + $call['authority'] + $call['peer'], $call['metadata']),
            'GRPC_DEADLINE' => $call['deadline'] === 0 ? null : $call['deadline'],
        ];
        if (str_contains($peer, "\n")) {
            $variables = self::tls($peer) + $variables;
        }
        return [$variables, substr($payload, $input), ($call['flags'] & self::INPUT_ENDS) !== 0];
    }

    /**
     * @param string $peer an address, and behind it a line for each variable of TLS
     * @return array<string, string>
     */
    private static function tls(string $peer): array
    {
        $lines = explode("\n", $peer);
        $variables = ['REMOTE_ADDR' => $lines[0]];
        foreach (array_slice($lines, 1) as $line) {
            $pair = explode('=', $line, 2);
            $variables[$pair[0]] = $pair[1] ?? '';
        }
        return $variables;
    }
}
