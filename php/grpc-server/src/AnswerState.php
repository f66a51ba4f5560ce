<?php

declare(strict_types=1);

namespace Grpc;

/** How much of a streaming call's answer has been sent. */
enum AnswerState
{
    case NotStarted;
    /** The header fields, and any number of messages. */
    case Started;
    /** The trailers too. */
    case Finished;
}
