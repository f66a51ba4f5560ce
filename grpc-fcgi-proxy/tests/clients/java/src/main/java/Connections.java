import grpc.testing.Test.SimpleRequest;
import grpc.testing.Test.SimpleResponse;
import io.grpc.Grpc;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/** Connections that end while calls go on, and other transports. */
final class Connections {
    /** How many callers share a connection. */
    private static final int CALLERS = 4;

    static void retries(Server unused) {
        Map<String, ?> policy = Map.of("maxAttempts", 4.0, "initialBackoff", "0.01s", "maxBackoff", "0.01s",
            "backoffMultiplier", 1.0, "retryableStatusCodes", List.of("UNAVAILABLE"));
        Map<String, ?> config = Map.of("methodConfig", List.of(Map.of("name", List.of(Map.of()), "retryPolicy", policy)));
        try (Server server = Server.connect("SERVER", channel -> channel.defaultServiceConfig(config))) {
            server.blocking(Server.instead("second-retry")).unaryCall(SimpleRequest.getDefaultInstance());
        }
    }

    static void keepalive(Server server) {
        throw new Client.LeftOut("its shortest interval is 10 s");
    }

    static void tls(Server unused) throws Exception {
        TlsChannelCredentials.Builder credentials = TlsChannelCredentials.newBuilder();
        credentials.trustManager(new File(Server.setting("TLS_AUTHORITY")));
        String address = Server.setting("TLS_SERVER");
        try (Server server = new Server(Grpc.newChannelBuilder(address, credentials.build()).build())) {
            Calls.unary(server);
            Calls.bidiStreaming(server);
        }
    }

    /** Makes calls, and a stream that lasts as long, until a call has reported enough. None may fail. */
    private static void keepCalling(Server server, Predicate<SimpleResponse> enough) throws Exception {
        Stream stream = new Stream(server);
        stream.pingPong(1, 1);
        AtomicBoolean done = new AtomicBoolean();
        ExecutorService executor = Executors.newFixedThreadPool(CALLERS);
        List<Future<?>> callers = new ArrayList<>();
        for (int caller = 0; caller < CALLERS; caller++) {
            callers.add(executor.submit(() -> {
                try {
                    while (!done.get()) {
                        if (enough.test(server.report())) {
                            done.set(true);
                        }
                    }
                } finally {
                    done.set(true);
                }
            }));
        }
        while (!done.get()) {
            stream.pingPong(1, 1);
        }
        for (Future<?> caller : callers) {
            caller.get();
        }
        executor.shutdown();
        stream.end();
    }

    static void age(Server unused) throws Exception {
        try (Server server = Server.connect("AGING_SERVER")) {
            Set<String> seen = ConcurrentHashMap.newKeySet();
            keepCalling(server, response -> seen.add(response.getUsername()) && seen.size() >= 4);
        }
    }

    static void drain(Server unused) throws Exception {
        try (Server server = Server.connect("DRAINING_SERVER")) {
            AtomicInteger before = new AtomicInteger();
            AtomicInteger after = new AtomicInteger();
            keepCalling(server, response -> {
                if (!response.getServerId().equals("old")) {
                    return after.incrementAndGet() >= 20;
                }
                if (before.incrementAndGet() == 20) {
                    terminate(Server.setting("DRAINING_PROCESS"));
                }
                return false;
            });
        }
    }

    static void restart(Server unused) throws Exception {
        try (Server server = Server.connect("RESTARTING_SERVER")) {
            String first = server.report().getServerId();
            terminate(Files.readString(Path.of(Server.setting("RESTARTING_PROCESS_FILE"))));
            Check.until(() -> {
                SimpleResponse response = server.blocking(Server.instead("report")).withWaitForReady()
                    .unaryCall(SimpleRequest.getDefaultInstance());
                return !response.getServerId().equals(first);
            }, "the proxy was not restarted");
        }
    }

    private static void terminate(String process) {
        ProcessHandle.of(Long.parseLong(process.strip())).orElseThrow().destroy();
    }
}
