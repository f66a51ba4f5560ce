import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** What the cases check with. */
final class Check {
    static void that(boolean condition, String message) {
        if (!condition) {
            throw new AssertionError(message);
        }
    }

    static void equal(Object seen, Object expected, String what) {
        that(Objects.equals(seen, expected), what + ": " + brief(seen) + " instead of " + brief(expected));
    }

    private static String brief(Object value) {
        String text = String.valueOf(value);
        return text.substring(0, Math.min(text.length(), 300));
    }

    static Status failure(Runnable call) {
        try {
            call.run();
        } catch (StatusRuntimeException error) {
            return error.getStatus();
        }
        throw new AssertionError("OK instead of an error");
    }

    static void endsWith(Runnable call, Status.Code code) {
        Status status = failure(call);
        equal(status.getCode(), code, "code of " + status);
    }

    static void endsWith(Runnable call, Status.Code code, String message) {
        Status status = failure(call);
        equal(status.getCode(), code, "code of " + status);
        equal(status.getDescription(), message, "message");
    }

    static void until(Callable<Boolean> condition, String what) throws Exception {
        for (long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(Server.PATIENCE); !condition.call(); Thread.sleep(10)) {
            that(System.nanoTime() < end, what);
        }
    }

    /** How many calls of a method the proxy has ended with one of the codes. */
    static long handled(String method, String code) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(Server.setting("SERVER_METRICS"))).build();
        String lines = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
        String line = "(?m)^grpc_server_handled_total\\{grpc_code=\"(?:%s)\",grpc_method=\"%s\",.*\\} (\\d+)$";
        return Pattern.compile(line.formatted(code, method)).matcher(lines).results()
            .mapToLong(found -> Long.parseLong(found.group(1))).sum();
    }
}
