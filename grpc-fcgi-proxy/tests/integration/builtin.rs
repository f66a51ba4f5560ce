//! Calls that the proxy answers itself: the same limits, metrics and log as for other calls.

use tonic::Code;

use crate::support::{serve, serve_streams};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

fn metric(name: &str, kind: &str, service: &str, method: &str) -> String {
    let service = format!("grpc_service=\"{service}\"");
    format!("{name}grpc_method=\"{method}\",{service},grpc_type=\"{kind}\"}}")
}

#[tokio::test]
async fn the_deadline_ends_a_waiting_stream() {
    let (_php_fpm, _proxy, client) = serve_streams("echo.php", &[]).await;
    for path in [WATCH, REFLECTION] {
        let mut stream = client.stream_at(path, &[("grpc-timeout", "100m")]);
        if path == WATCH {
            stream.send(b"");
            stream.half_close();
            while stream.next().await.is_some() {}
        }
        let expected = (
            Code::DeadlineExceeded,
            "the deadline has expired".to_owned(),
        );
        assert_eq!(stream.status().await, expected, "{path}");
    }
}

#[tokio::test]
async fn the_deadline_ends_a_call_without_its_message() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    let mut stream = client.stream_at(CHECK, &[("grpc-timeout", "100m")]);
    stream.send_bytes(b"\0\0\0");
    assert_eq!(stream.status().await.0, Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_stalled_request_ends_its_call() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &["--max-request-idle", "100ms"]).await;
    for path in [CHECK, WATCH] {
        let mut stalled = client.stream_at(path, &[]);
        stalled.send_bytes(b"\0\0\0");
        assert_eq!(stalled.status().await.0, Code::DeadlineExceeded, "{path}");
    }
}

#[tokio::test]
async fn metadata_and_messages_are_limited() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &["--max-metadata-size", "1024"]).await;
    let large = "x".repeat(1024);
    let response = client.call_method(CHECK, b"", &[("x-large", &large)]).await;
    assert_eq!(
        response.status(),
        (
            Code::ResourceExhausted,
            "the metadata exceeds the size limit"
        )
    );
    let response = client.call_method(CHECK, &[0; 64 * 1024 + 1], &[]).await;
    assert_eq!(response.status().0, Code::ResourceExhausted);
}

#[tokio::test]
async fn calls_are_counted_under_their_own_names() {
    let (_php_fpm, proxy, client) = serve_streams("echo.php", &[]).await;
    client.call_method(CHECK, b"", &[]).await;
    for other in ["Other", "Another"] {
        let path = format!("/grpc.health.v1.Health/{other}");
        assert_eq!(
            client.call_method(&path, b"", &[]).await.status().0,
            Code::Unimplemented
        );
    }
    let mut watched = client.stream_at(WATCH, &[]);
    watched.send(b"");
    watched.half_close();
    watched.next().await.unwrap();
    drop(watched);
    let mut reflection = client.stream_at(REFLECTION, &[]);
    for _ in 0..2 {
        reflection.send(b"");
        reflection.next().await.unwrap();
    }
    reflection.half_close();
    assert_eq!(reflection.status().await.0, Code::Ok);

    let health = "grpc.health.v1.Health";
    let v1 = "grpc.reflection.v1.ServerReflection";
    let info = "ServerReflectionInfo";
    let cancelled = "grpc_server_handled_total{grpc_code=\"Canceled\",";
    let ok = "grpc_server_handled_total{grpc_code=\"OK\",";
    let unimplemented = "grpc_server_handled_total{grpc_code=\"Unimplemented\",";
    let table = [
        (metric(ok, "unary", health, "Check"), 1.0),
        (
            metric("grpc_server_msg_received_total{", "unary", health, "Check"),
            1.0,
        ),
        (
            metric("grpc_server_msg_sent_total{", "unary", health, "Check"),
            1.0,
        ),
        (metric(cancelled, "server_stream", health, "Watch"), 1.0),
        (metric(ok, "bidi_stream", v1, info), 1.0),
        (
            metric("grpc_server_msg_received_total{", "bidi_stream", v1, info),
            2.0,
        ),
        (
            metric("grpc_server_msg_sent_total{", "bidi_stream", v1, info),
            2.0,
        ),
        (metric(unimplemented, "unary", "unknown", "unknown"), 2.0),
    ];
    for (name, value) in table {
        proxy.metric_becomes(&name, value).await;
    }
}

#[tokio::test]
async fn calls_are_logged() {
    let (_php_fpm, mut proxy, client) = serve("echo.php", &[]).await;
    client
        .call_method(CHECK, b"", &[("x-request-id", "abc")])
        .await;
    let record = proxy.logged(|record| record["message"] == "call").await;
    assert_eq!(record["path"], CHECK);
    assert_eq!(record["request_id"], "abc");
    assert_eq!(record["grpc_code"], "OK");
}
