<?php

declare(strict_types=1);

namespace Grpc;

/** The bytes that the proxy passes on as the input of a call: a message, or the frames of a streaming call. */
interface Input
{
    /** All bytes until the end of the input. */
    public function all(): string;

    /**
     * Waits for the next bytes.
     *
     * @return string shorter than $length only at the end of the input
     * @throws CallCancelled
     */
    public function bytes(int $length): string;

    /** Whether the next bytes or the end have arrived; false if that cannot be told without waiting. */
    public function arrived(): bool;
}
