<?php

declare(strict_types=1);

use Google\Protobuf\Timestamp;
use Grpc\RpcServer;
use Grpc\ServerCallWriter;
use Grpc\ServerContext;
use Grpc\StatusException;
use Grpc\Wait;
use Parcel\V1\GetParcelRequest;
use Parcel\V1\Parcel;
use Parcel\V1\ParcelServiceStub;
use Parcel\V1\Stop;
use Parcel\V1\TrackParcelRequest;

use const Grpc\STATUS_NOT_FOUND;

require __DIR__ . '/autoload.php';

final class Parcels extends ParcelServiceStub
{
    private const STOPS = ['Hamburg' => 1772438400, 'Berlin' => 1772452800, 'Dresden' => 1772463600];

    public function GetParcel(GetParcelRequest $request, ServerContext $context): ?Parcel
    {
        self::check($request->getId());
        return new Parcel(['id' => '42', 'recipient' => 'Ada Lovelace', 'weight_grams' => 1250]);
    }

    public function TrackParcel(TrackParcelRequest $request, ServerCallWriter $writer, ServerContext $context): void
    {
        self::check($request->getId());
        foreach (self::STOPS as $place => $arrival) {
            $writer->write(new Stop(['place' => $place, 'arrival' => new Timestamp(['seconds' => $arrival])]));
            Wait::sleep(0.5);
        }
    }

    private static function check(string $id): void
    {
        if ($id !== '42') {
            throw new StatusException(STATUS_NOT_FOUND, 'no such parcel');
        }
    }
}

$server = new RpcServer();
$server->handle(new Parcels());
$server->run();
