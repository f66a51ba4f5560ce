import grpc.testing.Test;
import grpc.testing.TestServiceGrpc;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** A connection to a server, as the cases use it. */
final class Server implements AutoCloseable {
    /** The longest that a call takes, in seconds. */
    static final long PATIENCE = 20;

    /** The script does something else than the service: see index.php. */
    private static final Metadata.Key<String> INSTEAD = Metadata.Key.of("x-instead", Metadata.ASCII_STRING_MARSHALLER);

    private final ManagedChannel channel;

    Server(ManagedChannel channel) {
        this.channel = channel;
    }

    /** @param name of the variable with the address */
    static Server connect(String name, UnaryOperator<NettyChannelBuilder> options) {
        return new Server(options.apply(NettyChannelBuilder.forTarget(setting(name)).usePlaintext()).build());
    }

    static Server connect(String name) {
        return connect(name, UnaryOperator.identity());
    }

    static String setting(String name) {
        String value = System.getenv(name);
        if (value == null) {
            throw new IllegalStateException(name + " is not set");
        }
        return value;
    }

    /** Its calls have no deadline. */
    TestServiceGrpc.TestServiceBlockingStub impatient(ClientInterceptor... interceptors) {
        return TestServiceGrpc.newBlockingStub(channel).withInterceptors(interceptors);
    }

    TestServiceGrpc.TestServiceBlockingStub blocking(ClientInterceptor... interceptors) {
        return impatient(interceptors).withDeadlineAfter(PATIENCE, TimeUnit.SECONDS);
    }

    TestServiceGrpc.TestServiceStub streaming() {
        return TestServiceGrpc.newStub(channel).withDeadlineAfter(PATIENCE, TimeUnit.SECONDS);
    }

    static ClientInterceptor instead(String what) {
        Metadata metadata = new Metadata();
        metadata.put(INSTEAD, what);
        return MetadataUtils.newAttachHeadersInterceptor(metadata);
    }

    /** What the script knows of a call. */
    Test.SimpleResponse report() {
        return blocking(instead("report")).unaryCall(Test.SimpleRequest.getDefaultInstance());
    }

    /** Fails if the calls end the connection. */
    void keepsConnection(Client.Case calls) throws Exception {
        String before = report().getUsername();
        calls.run(this);
        Check.equal(report().getUsername(), before, "the client's address after the call");
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }
}
