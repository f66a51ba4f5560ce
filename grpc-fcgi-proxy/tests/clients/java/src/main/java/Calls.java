import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.Status;
import grpc.testing.Test.EchoStatus;
import grpc.testing.Test.Payload;
import grpc.testing.Test.ResponseParameters;
import grpc.testing.Test.SimpleRequest;
import grpc.testing.Test.StreamingInputCallRequest;
import grpc.testing.Test.StreamingInputCallResponse;
import grpc.testing.Test.StreamingOutputCallRequest;
import io.grpc.Metadata;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;

/** The kinds of calls, what they carry, and how they end. */
final class Calls {
    static final Metadata.Key<String> INITIAL = Metadata.Key.of("x-grpc-test-echo-initial", Metadata.ASCII_STRING_MARSHALLER);
    static final Metadata.Key<byte[]> TRAILING =
        Metadata.Key.of("x-grpc-test-echo-trailing-bin", Metadata.BINARY_BYTE_MARSHALLER);

    private static final int[] REQUEST_SIZES = {27182, 8, 1828, 45904};
    private static final int[] RESPONSE_SIZES = {31415, 9, 2653, 58979};

    static Payload zeros(int size) {
        return Payload.newBuilder().setBody(ByteString.copyFrom(new byte[size])).build();
    }

    static ResponseParameters.Builder output(int size) {
        return ResponseParameters.newBuilder().setSize(size);
    }

    static void unary(Server server) {
        SimpleRequest request = SimpleRequest.newBuilder().setPayload(zeros(271828)).setResponseSize(314159).build();
        Check.equal(server.blocking().unaryCall(request).getPayload().getBody().size(), 314159, "size");
    }

    static void clientStreaming(Server server) throws Exception {
        int size = sendAll(observer -> server.streaming().streamingInputCall(observer), requests -> {
            for (int each : REQUEST_SIZES) {
                requests.onNext(StreamingInputCallRequest.newBuilder().setPayload(zeros(each)).build());
            }
        });
        Check.equal(size, 74922, "size");
    }

    interface Begin {
        StreamObserver<StreamingInputCallRequest> call(StreamObserver<StreamingInputCallResponse> observer);
    }

    /** @return the size that the server has received */
    static int sendAll(Begin begin, Consumer<StreamObserver<StreamingInputCallRequest>> send) throws Exception {
        CompletableFuture<Integer> size = new CompletableFuture<>();
        StreamObserver<StreamingInputCallRequest> requests = begin.call(new StreamObserver<>() {
            private int received;

            @Override
            public void onNext(StreamingInputCallResponse response) {
                received = response.getAggregatedPayloadSize();
            }

            @Override
            public void onError(Throwable error) {
                size.completeExceptionally(error);
            }

            @Override
            public void onCompleted() {
                size.complete(received);
            }
        });
        send.accept(requests);
        requests.onCompleted();
        return size.get(Server.PATIENCE, TimeUnit.SECONDS);
    }

    static void serverStreaming(Server server) {
        StreamingOutputCallRequest.Builder request = StreamingOutputCallRequest.newBuilder();
        Arrays.stream(RESPONSE_SIZES).forEach(size -> request.addResponseParameters(output(size)));
        List<Integer> sizes = new ArrayList<>();
        server.blocking().streamingOutputCall(request.build())
            .forEachRemaining(response -> sizes.add(response.getPayload().getBody().size()));
        Check.equal(sizes, Arrays.stream(RESPONSE_SIZES).boxed().toList(), "sizes");
    }

    static void bidiStreaming(Server server) throws Exception {
        Stream stream = new Stream(server);
        for (int index = 0; index < REQUEST_SIZES.length; index++) {
            stream.pingPong(REQUEST_SIZES[index], RESPONSE_SIZES[index]);
        }
        stream.end();
    }

    record Echoed(Metadata initial, Metadata trailing) {
    }

    /** Makes a unary call with metadata, which the service echoes. */
    static Echoed call(Server server, Metadata metadata) {
        AtomicReference<Metadata> initial = new AtomicReference<>();
        AtomicReference<Metadata> trailing = new AtomicReference<>();
        server.blocking(
            MetadataUtils.newAttachHeadersInterceptor(metadata), MetadataUtils.newCaptureMetadataInterceptor(initial, trailing)
        ).unaryCall(SimpleRequest.getDefaultInstance());
        return new Echoed(initial.get(), trailing.get());
    }

    static <T> List<T> values(Metadata metadata, Metadata.Key<T> key) {
        Iterable<T> values = metadata.getAll(key);
        return values == null ? List.of() : StreamSupport.stream(values.spliterator(), false).toList();
    }

    static void metadata(Server server) {
        byte[] all = new byte[256];
        IntStream.range(0, all.length).forEach(value -> all[value] = (byte) value);
        List<byte[]> binary = List.of(all, new byte[0], new byte[] {(byte) 0xab});
        Metadata sent = new Metadata();
        sent.put(INITIAL, "b");
        sent.put(INITIAL, "a, c");
        binary.forEach(value -> sent.put(TRAILING, value));
        Echoed echoed = call(server, sent);
        Check.equal(values(echoed.initial(), INITIAL), List.of("b", "a, c"), "initial metadata");
        Check.equal(values(echoed.trailing(), TRAILING).stream().map(Arrays::toString).toList(),
            binary.stream().map(Arrays::toString).toList(), "trailing metadata");
    }

    static void errorDetails(Server server) throws Exception {
        try {
            server.blocking(Server.instead("details")).unaryCall(SimpleRequest.getDefaultInstance());
        } catch (StatusRuntimeException error) {
            Status status = StatusProto.fromThrowable(error);
            Check.equal(status.getCode(), Code.FAILED_PRECONDITION.value(), "code");
            Check.equal(status.getMessage(), "not yet: ☺", "message");
            Check.equal(status.getDetailsCount(), 1, "number of details");
            Any detail = status.getDetails(0);
            EchoStatus expected = EchoStatus.newBuilder().setCode(7).setMessage("a detail").build();
            Check.equal(detail.unpack(EchoStatus.class), expected, "detail");
            return;
        }
        throw new AssertionError("OK instead of an error");
    }

    static void deadline(Server server) throws Exception {
        String none = server.impatient(Server.instead("report")).unaryCall(SimpleRequest.getDefaultInstance()).getOauthScope();
        Check.equal(none, "no deadline", "deadline of the script");
        double left = Double.parseDouble(server.report().getOauthScope());
        Check.that(left > 0 && left <= Server.PATIENCE, "seconds left: " + left);
        server.keepsConnection(same -> {
            // The proxy's time and the client's end at once: either may be first.
            long seen = Check.handled("StreamingOutputCall", "DeadlineExceeded|Canceled");
            StreamingOutputCallRequest request = StreamingOutputCallRequest.newBuilder()
                .addResponseParameters(output(1).setIntervalUs(1_000_000)).build();
            Check.endsWith(() -> server.impatient().withDeadlineAfter(100, TimeUnit.MILLISECONDS).streamingOutputCall(request).next(),
                Code.DEADLINE_EXCEEDED);
            Check.until(() -> Check.handled("StreamingOutputCall", "DeadlineExceeded|Canceled") == seen + 1,
                "the proxy does not count the call");
        });
    }

    static void cancellation(Server server) throws Exception {
        server.keepsConnection(same -> {
            long seen = Check.handled("FullDuplexCall", "Canceled");
            Stream stream = new Stream(server);
            stream.send(StreamingOutputCallRequest.newBuilder()
                .addResponseParameters(output(1)).addResponseParameters(output(1).setIntervalUs(1_000_000)).build());
            stream.receive();
            stream.cancel();
            Check.endsWith(() -> {
                try {
                    stream.receive();
                } catch (InterruptedException error) {
                    throw new IllegalStateException(error);
                }
            }, Code.CANCELLED);
            Check.until(() -> Check.handled("FullDuplexCall", "Canceled") == seen + 1, "the proxy does not count the call");
        });
    }
}
