<?php

declare(strict_types=1);

namespace Grpc;

/** The first byte of a frame of a streaming call: 0 for a plain message, or one of these (grpc-fcgi-proxy/BINDING.md). */
final class FrameFlags
{
    /** To PHP: the client sent this message compressed. From PHP: compress this message. Its content is plain both ways. */
    public const COMPRESSED = 0x01;

    /** From PHP: a load report of the whole server, for the proxy. */
    public const SERVER_LOAD = 0x20;

    /** From PHP: has no content; flushes the header fields, and finds out whether the client is still connected. */
    public const NOOP = 0x40;

    /** To PHP: the client cancelled the call, or its deadline has expired. The value of TRAILERS, the other way. */
    public const CANCELLED = 0x80;

    /** From PHP: the status and the trailing metadata, which end the call. */
    public const TRAILERS = 0x80;
}
