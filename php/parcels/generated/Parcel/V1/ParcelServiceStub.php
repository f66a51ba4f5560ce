<?php
// GENERATED CODE -- DO NOT EDIT!

namespace Parcel\V1;

/**
 * Says where parcels are.
 */
class ParcelServiceStub {

    /**
     * Returns a parcel. NOT_FOUND if it does not exist.
     * @param \Parcel\V1\GetParcelRequest $request client request
     * @param \Grpc\ServerContext $context server request context
     * @return \Parcel\V1\Parcel for response data, null if if error occured
     *     initial metadata (if any) and status (if not ok) should be set to $context
     */
    public function GetParcel(
        \Parcel\V1\GetParcelRequest $request,
        \Grpc\ServerContext $context
    ): ?\Parcel\V1\Parcel {
        $context->setStatus(\Grpc\Status::unimplemented());
        return null;
    }

    /**
     * Returns each stop of a parcel when the parcel arrives there.
     * @param \Parcel\V1\TrackParcelRequest $request client request
     * @param \Grpc\ServerCallWriter $writer write response data of \Parcel\V1\Stop
     * @param \Grpc\ServerContext $context server request context
     * @return void
     */
    public function TrackParcel(
        \Parcel\V1\TrackParcelRequest $request,
        \Grpc\ServerCallWriter $writer,
        \Grpc\ServerContext $context
    ): void {
        $context->setStatus(\Grpc\Status::unimplemented());
        $writer->finish();
    }

    /**
     * Get the method descriptors of the service for server registration
     *
     * @return array of \Grpc\MethodDescriptor for the service methods
     */
    public final function getMethodDescriptors(): array
    {
        return [
            '/parcel.v1.ParcelService/GetParcel' => new \Grpc\MethodDescriptor(
                $this,
                'GetParcel',
                '\Parcel\V1\GetParcelRequest',
                \Grpc\MethodDescriptor::UNARY_CALL
            ),
            '/parcel.v1.ParcelService/TrackParcel' => new \Grpc\MethodDescriptor(
                $this,
                'TrackParcel',
                '\Parcel\V1\TrackParcelRequest',
                \Grpc\MethodDescriptor::SERVER_STREAMING_CALL
            ),
        ];
    }

}
