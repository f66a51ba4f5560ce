import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The cases of script/clients with grpc-java. Prints a line for each: its name, a tab, and "ok", "left out: " and the reason,
 * or the error.
 */
final class Client {
    interface Case {
        void run(Server server) throws Exception;
    }

    /** A case that the client does not have. */
    static final class LeftOut extends RuntimeException {
        LeftOut(String reason) {
            super(reason);
        }
    }

    private static Map<String, Case> cases() {
        Map<String, Case> cases = new LinkedHashMap<>();
        cases.put("unary", Calls::unary);
        cases.put("client_streaming", Calls::clientStreaming);
        cases.put("server_streaming", Calls::serverStreaming);
        cases.put("bidi_streaming", Calls::bidiStreaming);
        cases.put("metadata", Calls::metadata);
        cases.put("metadata_of_8_kib", Limits::longMetadata);
        cases.put("metadata_over_the_limit", Limits::tooLongMetadata);
        cases.put("error_details", Calls::errorDetails);
        cases.put("deadline", Calls::deadline);
        cases.put("cancellation", Calls::cancellation);
        cases.put("gzip_requests", Limits::gzipRequests);
        cases.put("gzip_responses", Limits::gzipResponses);
        cases.put("gzip_single_messages", Limits::gzipSingleMessages);
        cases.put("messages_at_the_limit", Limits::messagesAtTheLimit);
        cases.put("messages_over_the_limit", Limits::messagesOverTheLimit);
        cases.put("messages_over_the_clients_limit", Limits::messagesOverTheClientsLimit);
        cases.put("retries", Connections::retries);
        cases.put("keepalive", Connections::keepalive);
        cases.put("tls", Connections::tls);
        cases.put("connection_age", Connections::age);
        cases.put("drain", Connections::drain);
        cases.put("restart_with_wait_for_ready", Connections::restart);
        return cases;
    }

    private static String outcome(Case test, Server server) {
        try {
            test.run(server);
            return "ok";
        } catch (LeftOut leftOut) {
            return "left out: " + leftOut.getMessage();
        } catch (Exception | AssertionError error) {
            error.printStackTrace();
            return error.toString().replaceAll("\\s+", " ");
        }
    }

    public static void main(String[] arguments) {
        try (Server server = Server.connect("SERVER")) {
            cases().forEach((name, test) -> {
                System.out.println(name + "\t" + outcome(test, server));
            });
        }
        // The calls of failed cases may go on.
        System.exit(0);
    }
}
