<?php

declare(strict_types=1);

namespace Shop;

/** Formats the log line of a call as JSON, with the trace headers that link it to the logs of other programs. */
final class CallLog
{
    private const TRACE_HEADERS = [
        'x-request-id', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags', 'b3',
        'x-ot-span-context', 'traceparent', 'tracestate', 'baggage',
    ];

    /** Named as in the metrics. */
    private const CODES = [
        'OK', 'Canceled', 'Unknown', 'InvalidArgument', 'DeadlineExceeded', 'NotFound', 'AlreadyExists',
        'PermissionDenied', 'ResourceExhausted', 'FailedPrecondition', 'Aborted', 'OutOfRange', 'Unimplemented',
        'Internal', 'Unavailable', 'DataLoss', 'Unauthenticated',
    ];

    /** The longest tracestate fits. A limit is needed because clients choose these values. */
    private const MAX_VALUE_BYTES = 512;

    /**
     * @param string $protocol and $codec of the client
     * @param array<string, list<string>> $metadata of the client
     */
    public static function line(string $path, int $status, string $protocol, string $codec, array $metadata): string
    {
        $entry = ['path' => self::bounded($path), 'grpc_code' => self::CODES[$status] ?? 'Unknown'];
        $entry += ['protocol' => $protocol, 'codec' => $codec];
        foreach (self::TRACE_HEADERS as $name) {
            if (isset($metadata[$name])) {
                $entry[$name] = self::bounded(implode(', ', $metadata[$name]));
            }
        }
        return json_encode($entry, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
    }

    private static function bounded(string $value): string
    {
        return mb_strcut($value, 0, self::MAX_VALUE_BYTES, 'UTF-8');
    }
}
