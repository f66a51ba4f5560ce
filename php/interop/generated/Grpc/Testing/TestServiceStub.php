<?php
// GENERATED CODE -- DO NOT EDIT!

namespace Grpc\Testing;

/**
 * A method for each kind of call.
 */
class TestServiceStub {

    /**
     * Returns an empty message.
     * @param \Grpc\Testing\PBEmpty $request client request
     * @param \Grpc\ServerContext $context server request context
     * @return \Grpc\Testing\PBEmpty for response data, null if if error occured
     *     initial metadata (if any) and status (if not ok) should be set to $context
     */
    public function EmptyCall(
        \Grpc\Testing\PBEmpty $request,
        \Grpc\ServerContext $context
    ): ?\Grpc\Testing\PBEmpty {
        $context->setStatus(\Grpc\Status::unimplemented());
        return null;
    }

    /**
     * Returns a payload of the requested size.
     * @param \Grpc\Testing\SimpleRequest $request client request
     * @param \Grpc\ServerContext $context server request context
     * @return \Grpc\Testing\SimpleResponse for response data, null if if error occured
     *     initial metadata (if any) and status (if not ok) should be set to $context
     */
    public function UnaryCall(
        \Grpc\Testing\SimpleRequest $request,
        \Grpc\ServerContext $context
    ): ?\Grpc\Testing\SimpleResponse {
        $context->setStatus(\Grpc\Status::unimplemented());
        return null;
    }

    /**
     * Returns the time, which may be cached for a minute.
     * @param \Grpc\Testing\SimpleRequest $request client request
     * @param \Grpc\ServerContext $context server request context
     * @return \Grpc\Testing\SimpleResponse for response data, null if if error occured
     *     initial metadata (if any) and status (if not ok) should be set to $context
     */
    public function CacheableUnaryCall(
        \Grpc\Testing\SimpleRequest $request,
        \Grpc\ServerContext $context
    ): ?\Grpc\Testing\SimpleResponse {
        $context->setStatus(\Grpc\Status::unimplemented());
        return null;
    }

    /**
     * Returns a payload for each of the response parameters.
     * @param \Grpc\Testing\StreamingOutputCallRequest $request client request
     * @param \Grpc\ServerCallWriter $writer write response data of \Grpc\Testing\StreamingOutputCallResponse
     * @param \Grpc\ServerContext $context server request context
     * @return void
     */
    public function StreamingOutputCall(
        \Grpc\Testing\StreamingOutputCallRequest $request,
        \Grpc\ServerCallWriter $writer,
        \Grpc\ServerContext $context
    ): void {
        $context->setStatus(\Grpc\Status::unimplemented());
        $writer->finish();
    }

    /**
     * Returns the total size of all payloads.
     * @param \Grpc\ServerCallReader $reader read client request data of \Grpc\Testing\StreamingInputCallRequest
     * @param \Grpc\ServerContext $context server request context
     * @return \Grpc\Testing\StreamingInputCallResponse for response data, null if if error occured
     *     initial metadata (if any) and status (if not ok) should be set to $context
     */
    public function StreamingInputCall(
        \Grpc\ServerCallReader $reader,
        \Grpc\ServerContext $context
    ): ?\Grpc\Testing\StreamingInputCallResponse {
        $context->setStatus(\Grpc\Status::unimplemented());
        return null;
    }

    /**
     * Answers each request at once, like StreamingOutputCall.
     * @param \Grpc\ServerCallReader $reader read client request data of \Grpc\Testing\StreamingOutputCallRequest
     * @param \Grpc\ServerCallWriter $writer write response data of \Grpc\Testing\StreamingOutputCallResponse
     * @param \Grpc\ServerContext $context server request context
     * @return void
     */
    public function FullDuplexCall(
        \Grpc\ServerCallReader $reader,
        \Grpc\ServerCallWriter $writer,
        \Grpc\ServerContext $context
    ): void {
        $context->setStatus(\Grpc\Status::unimplemented());
        $writer->finish();
    }

    /**
     * Answers the requests after the client's half-close.
     * @param \Grpc\ServerCallReader $reader read client request data of \Grpc\Testing\StreamingOutputCallRequest
     * @param \Grpc\ServerCallWriter $writer write response data of \Grpc\Testing\StreamingOutputCallResponse
     * @param \Grpc\ServerContext $context server request context
     * @return void
     */
    public function HalfDuplexCall(
        \Grpc\ServerCallReader $reader,
        \Grpc\ServerCallWriter $writer,
        \Grpc\ServerContext $context
    ): void {
        $context->setStatus(\Grpc\Status::unimplemented());
        $writer->finish();
    }

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
            '/grpc.testing.TestService/EmptyCall' => new \Grpc\MethodDescriptor(
                $this,
                'EmptyCall',
                '\Grpc\Testing\PBEmpty',
                \Grpc\MethodDescriptor::UNARY_CALL
            ),
            '/grpc.testing.TestService/UnaryCall' => new \Grpc\MethodDescriptor(
                $this,
                'UnaryCall',
                '\Grpc\Testing\SimpleRequest',
                \Grpc\MethodDescriptor::UNARY_CALL
            ),
            '/grpc.testing.TestService/CacheableUnaryCall' => new \Grpc\MethodDescriptor(
                $this,
                'CacheableUnaryCall',
                '\Grpc\Testing\SimpleRequest',
                \Grpc\MethodDescriptor::UNARY_CALL
            ),
            '/grpc.testing.TestService/StreamingOutputCall' => new \Grpc\MethodDescriptor(
                $this,
                'StreamingOutputCall',
                '\Grpc\Testing\StreamingOutputCallRequest',
                \Grpc\MethodDescriptor::SERVER_STREAMING_CALL
            ),
            '/grpc.testing.TestService/StreamingInputCall' => new \Grpc\MethodDescriptor(
                $this,
                'StreamingInputCall',
                '\Grpc\Testing\StreamingInputCallRequest',
                \Grpc\MethodDescriptor::CLIENT_STREAMING_CALL
            ),
            '/grpc.testing.TestService/FullDuplexCall' => new \Grpc\MethodDescriptor(
                $this,
                'FullDuplexCall',
                '\Grpc\Testing\StreamingOutputCallRequest',
                \Grpc\MethodDescriptor::BIDI_STREAMING_CALL
            ),
            '/grpc.testing.TestService/HalfDuplexCall' => new \Grpc\MethodDescriptor(
                $this,
                'HalfDuplexCall',
                '\Grpc\Testing\StreamingOutputCallRequest',
                \Grpc\MethodDescriptor::BIDI_STREAMING_CALL
            ),
            '/grpc.testing.TestService/UnimplementedCall' => new \Grpc\MethodDescriptor(
                $this,
                'UnimplementedCall',
                '\Grpc\Testing\PBEmpty',
                \Grpc\MethodDescriptor::UNARY_CALL
            ),
        ];
    }

}
