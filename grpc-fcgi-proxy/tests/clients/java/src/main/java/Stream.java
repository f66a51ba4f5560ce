import grpc.testing.Test.StreamingOutputCallRequest;
import grpc.testing.Test.StreamingOutputCallResponse;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A call of FullDuplexCall. */
final class Stream {
    private final BlockingQueue<Object> arrived = new LinkedBlockingQueue<>();
    private ClientCallStreamObserver<StreamingOutputCallRequest> requests;

    Stream(Server server) {
        server.streaming().fullDuplexCall(new ClientResponseObserver<StreamingOutputCallRequest, StreamingOutputCallResponse>() {
            @Override
            public void beforeStart(ClientCallStreamObserver<StreamingOutputCallRequest> stream) {
                requests = stream;
            }

            @Override
            public void onNext(StreamingOutputCallResponse response) {
                arrived.add(response);
            }

            @Override
            public void onError(Throwable error) {
                arrived.add(Status.fromThrowable(error));
            }

            @Override
            public void onCompleted() {
                arrived.add(Status.OK);
            }
        });
    }

    void send(StreamingOutputCallRequest request) {
        requests.onNext(request);
    }

    StreamingOutputCallResponse receive() throws InterruptedException {
        Object next = arrived.poll(Server.PATIENCE, TimeUnit.SECONDS);
        Check.that(next != null, "no response");
        if (next instanceof Status status) {
            throw new StatusRuntimeException(status);
        }
        return (StreamingOutputCallResponse) next;
    }

    void pingPong(int requestSize, int responseSize) throws InterruptedException {
        send(StreamingOutputCallRequest.newBuilder().setPayload(Calls.zeros(requestSize))
            .addResponseParameters(Calls.output(responseSize)).build());
        Check.equal(receive().getPayload().getBody().size(), responseSize, "size");
    }

    void cancel() {
        requests.cancel("cancelled by the test", null);
    }

    /** Fails unless there is no further response, and the call ends with OK. */
    void end() throws InterruptedException {
        requests.onCompleted();
        Check.equal(arrived.poll(Server.PATIENCE, TimeUnit.SECONDS), Status.OK, "end");
    }
}
