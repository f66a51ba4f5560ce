<?php

declare(strict_types=1);

namespace App;

use Grpc\ServerCallWriter;
use Grpc\ServerContext;
use Grpc\StatusException;
use Grpc\Wait;
use Parcel\V1\GetParcelRequest;
use Parcel\V1\Parcel;
use Parcel\V1\ParcelServiceStub;
use Parcel\V1\Stop;
use Parcel\V1\TrackParcelRequest;

use const Grpc\STATUS_UNAUTHENTICATED;

final class Parcels extends ParcelServiceStub
{
    public function __construct(private readonly Caller $caller)
    {
    }

    public function GetParcel(GetParcelRequest $request, ServerContext $context): ?Parcel
    {
        if ($this->caller->name === '') {
            throw new StatusException(STATUS_UNAUTHENTICATED, 'the metadata x-caller is missing');
        }
        return new Parcel(['id' => $request->getId(), 'recipient' => $this->caller->name]);
    }

    public function TrackParcel(TrackParcelRequest $request, ServerCallWriter $writer, ServerContext $context): void
    {
        $writer->write(new Stop(['place' => 'Hamburg']));
        // Other calls run meanwhile, and services are reset behind each.
        Wait::sleep(1);
        $caller = $context->value('caller');
        $writer->write(new Stop(['place' => is_string($caller) ? $caller : '']));
    }
}
