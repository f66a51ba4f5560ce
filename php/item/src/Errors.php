<?php

declare(strict_types=1);

namespace Shop;

use Closure;
use Google\Rpc\BadRequest;
use Google\Rpc\BadRequest\FieldViolation;
use Google\Rpc\ErrorInfo;
use Grpc\StatusException;
use PDOException;

use const Grpc\STATUS_ABORTED;
use const Grpc\STATUS_ALREADY_EXISTS;
use const Grpc\STATUS_FAILED_PRECONDITION;
use const Grpc\STATUS_INTERNAL;
use const Grpc\STATUS_INVALID_ARGUMENT;
use const Grpc\STATUS_NOT_FOUND;
use const Grpc\STATUS_UNAVAILABLE;

/** Translates errors into statuses. */
final class Errors
{
    /**
     * @template T
     * @param Closure(): T $answer
     * @return T
     * @throws StatusException
     */
    public static function translate(Closure $answer): mixed
    {
        try {
            return $answer();
        } catch (InvalidArgument $error) {
            $violation = new FieldViolation(['field' => $error->field, 'description' => $error->description]);
            $details = [new BadRequest(['field_violations' => [$violation]])];
            throw new StatusException(STATUS_INVALID_ARGUMENT, $error->getMessage(), $details);
        } catch (OutOfStock $error) {
            throw new StatusException(STATUS_FAILED_PRECONDITION, $error->getMessage(), [self::outOfStock($error)]);
        } catch (PDOException $error) {
            error_log('database error: ' . $error->getMessage());
            throw match (true) {
                Database::isUnreachable($error) => new StatusException(STATUS_UNAVAILABLE, 'database unreachable'),
                Database::isBusy($error) => new StatusException(STATUS_UNAVAILABLE, 'database busy'),
                default => new StatusException(STATUS_INTERNAL, 'database error'),
            };
        } catch (NotFound | AlreadyExists | Outdated $error) {
            throw new StatusException(self::code($error), $error->getMessage());
        }
    }

    private static function code(NotFound|AlreadyExists|Outdated $error): int
    {
        return match (true) {
            $error instanceof NotFound => STATUS_NOT_FOUND,
            $error instanceof AlreadyExists => STATUS_ALREADY_EXISTS,
            $error instanceof Outdated => STATUS_ABORTED,
        };
    }

    private static function outOfStock(OutOfStock $error): ErrorInfo
    {
        return new ErrorInfo([
            'reason' => 'OUT_OF_STOCK',
            'domain' => 'item.ItemService',
            'metadata' => ['item' => implode(',', array_slice($error->ids, 0, Names::MAX))],
        ]);
    }
}
