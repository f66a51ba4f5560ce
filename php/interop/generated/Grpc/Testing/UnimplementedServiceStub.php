<?php
// GENERATED CODE -- DO NOT EDIT!

namespace Grpc\Testing;

/**
 * No server implements this service.
 */
class UnimplementedServiceStub {

    /**
     * Ends with UNIMPLEMENTED.
     * @param \Grpc\Testing\PBEmpty $request client request
     * @param \Grpc\ServerContext $context server request context
     * @return \Grpc\Testing\PBEmpty for response data, null if if error occured
     *     initial metadata (if any) and status (if not ok) should be set to $context
     */
    public function UnimplementedCall(
        \Grpc\Testing\PBEmpty $request,
        \Grpc\ServerContext $context
    ): ?\Grpc\Testing\PBEmpty {
        $context->setStatus(\Grpc\Status::unimplemented());
        return null;
    }

    /**
     * Get the method descriptors of the service for server registration
     *
     * @return array of \Grpc\MethodDescriptor for the service methods
     */
    public final function getMethodDescriptors(): array
    {
        return [
            '/grpc.testing.UnimplementedService/UnimplementedCall' => new \Grpc\MethodDescriptor(
                $this,
                'UnimplementedCall',
                '\Grpc\Testing\PBEmpty',
                \Grpc\MethodDescriptor::UNARY_CALL
            ),
        ];
    }

}
