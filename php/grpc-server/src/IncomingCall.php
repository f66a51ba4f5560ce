<?php

declare(strict_types=1);

namespace Grpc;

use UnexpectedValueException;

/**
 * A call as the proxy passes it on: CGI meta-variables, and messages.
 * (The grpc extension has a class named Call.)
 */
final class IncomingCall
{
    private const KINDS = [
        'unary' => MethodDescriptor::UNARY_CALL,
        'server_stream' => MethodDescriptor::SERVER_STREAMING_CALL,
        'client_stream' => MethodDescriptor::CLIENT_STREAMING_CALL,
        'bidi_stream' => MethodDescriptor::BIDI_STREAMING_CALL,
    ];
    private const HEADER_BYTES = 5;

    /** Of a call over TLS; $_SERVER may have other variables whose names begin with SSL_. */
    private const TLS_NAMES = '/^(HTTPS|SSL_PROTOCOL|SSL_CLIENT_\w+)$/D';

    private readonly Input $input;

    /** The kind of call according to the proxy: a constant of MethodDescriptor. */
    public readonly int $kind;

    /** The path: /package.Service/Method. */
    public readonly string $method;

    /** Whether the client sent the last message compressed; read() returns it plain. */
    private bool $messageCompressed;

    /**
     * @param array<string, mixed> $variables as in $_SERVER
     * @param Input|resource|null $input in place of php://input
     */
    public function __construct(private readonly array $variables, $input = null)
    {
        $this->input = $input instanceof Input ? $input : new StreamInput($input);
        $kind = $variables['GRPC_CALL_KIND'] ?? 'unary';
        $this->kind = self::KINDS[$kind] ?? throw new UnexpectedValueException("unknown GRPC_CALL_KIND $kind");
        $path = (string) ($variables['REQUEST_URI'] ?? '');
        $query = strpos($path, '?');
        $this->method = $query === false ? $path : substr($path, 0, $query);
        $this->messageCompressed = ($variables['GRPC_MESSAGE_COMPRESSED'] ?? '0') === '1';
    }

    public function host(): string
    {
        return (string) ($this->variables['HTTP_HOST'] ?? '');
    }

    /** The address of the client and its port, an IPv6 address in brackets; empty if the proxy does not send it. */
    public function peer(): string
    {
        $address = (string) ($this->variables['REMOTE_ADDR'] ?? '');
        $port = (string) ($this->variables['REMOTE_PORT'] ?? '');
        return $port === '' ? $address : (str_contains($address, ':') ? "[$address]" : $address) . ":$port";
    }

    /** @return array<string, string> the variables of the client's TLS; empty without TLS */
    public function tls(): array
    {
        $variables = [];
        foreach ($this->variables as $name => $value) {
            if (is_string($value) && preg_match(self::TLS_NAMES, $name) === 1) {
                $variables[$name] = $value;
            }
        }
        return $variables;
    }

    /** What the client speaks: grpc, grpc-web, connect or rest; empty if the proxy does not send it. */
    public function clientProtocol(): string
    {
        return (string) ($this->variables['GRPC_CLIENT_PROTOCOL'] ?? '');
    }

    /** How the client encodes its messages: proto, json or other; empty if the proxy does not send it. */
    public function clientCodec(): string
    {
        return (string) ($this->variables['GRPC_CLIENT_CODEC'] ?? '');
    }

    /** Whether the messages are protobuf; the suffix of the content type names another encoding. */
    public function isProtobuf(): bool
    {
        $contentType = (string) ($this->variables['CONTENT_TYPE'] ?? '');
        return $contentType === 'application/grpc' || $contentType === 'application/grpc+proto'
            || preg_match('/^application\/grpc\+(?!proto\s*(?:;|$))/', $contentType) === 0;
    }

    /** @return array<string, list<string>> */
    public function metadata(): array
    {
        return Metadata::decode((string) ($this->variables['GRPC_METADATA'] ?? ''));
    }

    /** In microseconds since 1970; null without a deadline. */
    public function deadline(): ?int
    {
        $deadline = $this->variables['GRPC_DEADLINE'] ?? null;
        return $deadline === null ? null : (int) $deadline;
    }

    public function messageCompressed(): bool
    {
        return $this->messageCompressed;
    }

    /**
     * The message of a unary call.
     *
     * @throws CallCancelled
     */
    public function message(): string
    {
        $message = $this->input->all();
        $length = $this->variables['CONTENT_LENGTH'] ?? null;
        if ($length !== null && strlen($message) !== (int) $length) {
            throw new CallCancelled('the input ended within the message');
        }
        return $message;
    }

    /** Whether a message of a streaming call, or the end of its messages, has begun to arrive. */
    public function arrived(): bool
    {
        return $this->input->arrived();
    }

    /**
     * The next message of a streaming call; null after the last one.
     *
     * @throws CallCancelled
     */
    public function read(): ?string
    {
        $header = $this->input->bytes(self::HEADER_BYTES);
        if ($header === '') {
            return null;
        }
        if (strlen($header) < self::HEADER_BYTES) {
            throw new CallCancelled('the input ended within the header of a frame');
        }
        /** @var array{flags: int, length: int} $fields */
        $fields = unpack('Cflags/Nlength', $header);
        ['flags' => $flags, 'length' => $length] = $fields;
        if ($flags === FrameFlags::CANCELLED) {
            throw new CallCancelled('the client is gone');
        }
        if ($flags > FrameFlags::COMPRESSED) {
            throw new UnexpectedValueException("unknown frame flags $flags");
        }
        $message = $this->input->bytes($length);
        if (strlen($message) < $length) {
            throw new CallCancelled('the input ended within a message');
        }
        $this->messageCompressed = $flags === FrameFlags::COMPRESSED;
        return $message;
    }
}
