import grpc.testing.Test.BoolValue;
import grpc.testing.Test.SimpleRequest;
import grpc.testing.Test.StreamingInputCallRequest;
import grpc.testing.Test.StreamingOutputCallRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientStreamTracer;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status.Code;
import io.grpc.stub.ClientCallStreamObserver;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** Compression, and the limits on metadata and messages. */
final class Limits {
    private static final int KIB = 1 << 10;
    private static final int MIB = 1 << 20;
    /** HTTP/2 counts 32 bytes for each field on top of name and value. */
    private static final int FIELD_OVERHEAD = 32;
    /** Bytes of the message around a payload of megabytes. */
    private static final int PAYLOAD_OVERHEAD = 10;
    /** The proxy's default limits. */
    private static final int MAX_REQUEST = 4 * MIB;
    private static final int MAX_RESPONSE = 16 * MIB;

    private static <T> Metadata with(Metadata.Key<T> key, T value) {
        Metadata metadata = new Metadata();
        metadata.put(key, value);
        return metadata;
    }

    static void longMetadata(Server unused) {
        // Its own limit is 8 KiB, and includes the fields of HTTP and gRPC.
        try (Server server = Server.connect("SERVER", channel -> channel.maxInboundMetadataSize(9 * KIB))) {
            String text = "v".repeat(8 * KIB - FIELD_OVERHEAD - Calls.INITIAL.name().length());
            Check.equal(Calls.call(server, with(Calls.INITIAL, text)).initial().get(Calls.INITIAL), text, "initial metadata");
            byte[] binary = new byte[(8 * KIB - FIELD_OVERHEAD - Calls.TRAILING.name().length()) * 3 / 4];
            Arrays.fill(binary, (byte) 0xab);
            byte[] echoed = Calls.call(server, with(Calls.TRAILING, binary)).trailing().get(Calls.TRAILING);
            Check.that(Arrays.equals(echoed, binary), "trailing metadata");
        }
    }

    static void tooLongMetadata(Server server) throws Exception {
        Metadata.Key<String> other = Metadata.Key.of("x-long", Metadata.ASCII_STRING_MARSHALLER);
        server.keepsConnection(same -> {
            Check.endsWith(() -> Calls.call(server, with(other, "v".repeat(20 * KIB))),
                Code.RESOURCE_EXHAUSTED, "the metadata exceeds the size limit");
            Check.endsWith(() -> Calls.call(server, with(Calls.INITIAL, "v".repeat(10 * KIB))),
                Code.RESOURCE_EXHAUSTED, "the application's metadata exceeds the size limit");
            // More than the proxy's HTTP/2 takes: grpc-java refuses to send it.
            Check.endsWith(() -> Calls.call(server, with(other, "v".repeat(100 * KIB))), Code.INTERNAL, "http2 exception");
            // More than grpc-java takes, though not than the proxy allows the application.
            Check.endsWith(() -> Calls.call(server, with(Calls.INITIAL, "v".repeat(8 * KIB - 100))),
                Code.INTERNAL, "http2 exception");
        });
    }

    private static BoolValue bool(boolean value) {
        return BoolValue.newBuilder().setValue(value).build();
    }

    private static SimpleRequest expecting(boolean compressed) {
        return SimpleRequest.newBuilder().setPayload(Calls.zeros(1000)).setExpectCompressed(bool(compressed)).build();
    }

    static void gzipRequests(Server server) {
        Check.endsWith(() -> server.blocking().unaryCall(expecting(true)), Code.INVALID_ARGUMENT,
            "the request message was uncompressed");
        server.blocking().withCompression("gzip").unaryCall(expecting(true));
        server.blocking().unaryCall(expecting(false));
    }

    /** Notes of each message that the calls receive whether it was compressed. */
    private static final class Compressions extends ClientStreamTracer.Factory implements ClientInterceptor {
        final List<Boolean> seen = Collections.synchronizedList(new ArrayList<>());

        @Override
        public <Q, R> ClientCall<Q, R> interceptCall(MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
            return next.newCall(method, options.withStreamTracerFactory(this));
        }

        @Override
        public ClientStreamTracer newClientStreamTracer(ClientStreamTracer.StreamInfo info, Metadata headers) {
            return new ClientStreamTracer() {
                @Override
                public void inboundMessageRead(int number, long wireSize, long size) {
                    // Not known yet of a message that is to be decompressed.
                    seen.add(size < 0);
                }
            };
        }
    }

    static void gzipResponses(Server server) {
        for (boolean compressed : new boolean[] {true, false}) {
            Compressions compressions = new Compressions();
            SimpleRequest request =
                SimpleRequest.newBuilder().setResponseSize(1000).setResponseCompressed(bool(compressed)).build();
            Check.equal(server.blocking(compressions).unaryCall(request).getPayload(), Calls.zeros(1000), "payload");
            Check.equal(compressions.seen, List.of(compressed), "compressed");
        }
    }

    static void gzipSingleMessages(Server server) throws Exception {
        List<Boolean> compressed = List.of(true, false, true);
        int size = Calls.sendAll(
            observer -> server.streaming().withCompression("gzip").streamingInputCall(observer),
            requests -> compressed.forEach(each -> {
                ((ClientCallStreamObserver<StreamingInputCallRequest>) requests).setMessageCompression(each);
                requests.onNext(StreamingInputCallRequest.newBuilder()
                    .setPayload(Calls.zeros(1000)).setExpectCompressed(bool(each)).build());
            }));
        Check.equal(size, 3000, "size");

        StreamingOutputCallRequest.Builder request = StreamingOutputCallRequest.newBuilder();
        compressed.forEach(each -> request.addResponseParameters(Calls.output(1000).setCompressed(bool(each))));
        Compressions compressions = new Compressions();
        server.blocking(compressions).streamingOutputCall(request.build())
            .forEachRemaining(response -> Check.equal(response.getPayload(), Calls.zeros(1000), "payload"));
        Check.equal(compressions.seen, compressed, "compressed");
    }

    private static void transfer(Server server, int requestSize, int responseSize) {
        SimpleRequest.Builder request = SimpleRequest.newBuilder().setResponseSize(responseSize);
        if (requestSize > 0) {
            request.setPayload(Calls.zeros(requestSize));
        }
        Check.equal(server.blocking().unaryCall(request.build()).getPayload().getBody().size(), responseSize, "size");
    }

    static void messagesAtTheLimit(Server unused) {
        try (Server server = Server.connect("SERVER", channel -> channel.maxInboundMessageSize(MAX_RESPONSE))) {
            transfer(server, MAX_REQUEST - PAYLOAD_OVERHEAD, 0);
            transfer(server, 0, MAX_RESPONSE - PAYLOAD_OVERHEAD);
        }
    }

    static void messagesOverTheLimit(Server unused) throws Exception {
        try (Server server = Server.connect("SERVER", channel -> channel.maxInboundMessageSize(2 * MAX_RESPONSE))) {
            server.keepsConnection(same -> {
                Check.endsWith(() -> transfer(server, MAX_REQUEST - PAYLOAD_OVERHEAD + 1, 0),
                    Code.RESOURCE_EXHAUSTED, "the request message exceeds the size limit");
                Check.endsWith(() -> transfer(server, 0, MAX_RESPONSE - PAYLOAD_OVERHEAD + 1),
                    Code.RESOURCE_EXHAUSTED, "the application's answer exceeds the size limit");
            });
        }
    }

    static void messagesOverTheClientsLimit(Server server) throws Exception {
        server.keepsConnection(same -> Check.endsWith(() -> transfer(server, 0, 5 * MIB), Code.RESOURCE_EXHAUSTED));
    }
}
