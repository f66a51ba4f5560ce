//! Streaming calls, in full duplex.

use std::time::Duration;

use tokio::time::timeout;

use tonic::Code;

use crate::support::{ending_with, serve_streams};

fn ok() -> (Code, String) {
    (Code::Ok, String::new())
}

#[tokio::test]
async fn each_message_is_answered_before_the_next_is_sent() {
    let (_php_fpm, proxy, client) = serve_streams("stream_echo.php", &[]).await;
    let mut call = client.stream("BidiStream", &[]);
    for size in [1, 0, 10, 8192, 100_000, 5] {
        let content = vec![b'x'; size];
        call.send(&content);
        assert_eq!(call.next().await, Some(content));
    }
    call.half_close();
    assert_eq!(call.status().await, ok());
    let labels = r#"grpc_method="BidiStream",grpc_service="test.Service",grpc_type="bidi_stream""#;
    for name in ["msg_received_total", "msg_sent_total"] {
        proxy
            .metric_becomes(&format!("grpc_server_{name}{{{labels}}}"), 6.0)
            .await;
    }
    proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
}

#[tokio::test]
async fn a_stream_may_be_empty() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_echo.php", &[]).await;
    let mut call = client.stream("BidiStream", &[]);
    call.half_close();
    assert_eq!(call.status().await, ok());
}

#[tokio::test]
async fn a_client_streaming_call_gets_one_message() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_sum.php", &[]).await;
    let mut call = client.stream("ClientStream", &[]);
    for size in [27_182, 8, 1_828, 45_904] {
        call.send(&vec![b'x'; size]);
    }
    call.half_close();
    assert_eq!(
        String::from_utf8(call.next().await.unwrap()).unwrap(),
        "4 74922"
    );
    assert_eq!(call.status().await, ok());
}

#[tokio::test]
async fn a_server_streaming_call_gets_all_messages() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_count.php", &[]).await;
    let mut call = client.stream("ServerStream", &[("x-count", "1000"), ("x-size", "1000")]);
    call.send(b"");
    call.half_close();
    for _ in 0..1000 {
        assert_eq!(call.next().await.unwrap().len(), 1000);
    }
    assert_eq!(call.status().await, ok());
}

#[tokio::test]
async fn trailers_carry_status_and_metadata() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_trailers.php", &[]).await;
    let mut call = client.stream(
        "BidiStream",
        &[
            ending_with(Code::FailedPrecondition),
            ("x-message", "not%20now"),
        ],
    );
    assert_eq!(call.headers().await["x-initial"], "first");
    assert_eq!(call.next().await.unwrap(), b"before the trailers");
    // The client has not half-closed.
    assert_eq!(
        call.status().await,
        (Code::FailedPrecondition, "not now".into())
    );
    let trailers = call.end().await;
    assert_eq!(
        trailers.get_all("x-trailing").iter().collect::<Vec<_>>(),
        ["one", "two"]
    );
    assert_eq!(trailers["x-trailing-bin"], "q6ur");
}

/// Its first bytes would otherwise be the length of an enormous message.
#[tokio::test]
async fn text_in_place_of_a_frame_is_an_internal_error() {
    let (_php_fpm, _proxy, client) = serve_streams("variables.php", &[]).await;
    let mut call = client.stream("BidiStream", &[]);
    call.half_close();
    let malformed = "the application's answer is malformed".to_owned();
    assert_eq!(call.status().await, (Code::Internal, malformed));
}

#[tokio::test]
async fn a_stream_without_trailers_fails() {
    let (_php_fpm, mut proxy, client) = serve_streams("stream_no_trailers.php", &[]).await;
    let mut call = client.stream("BidiStream", &[]);
    call.half_close();
    assert!(call.next().await.is_some());
    assert_eq!(
        call.status().await,
        (
            Code::Unknown,
            "the application ended before the call did".into()
        )
    );
    let logged = proxy
        .logged(|record| record["message"] == "call failed")
        .await;
    assert_eq!(
        logged["error"],
        "the script ended before it had sent the trailers"
    );
}

#[tokio::test]
async fn a_script_may_answer_without_reading() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_never_reads.php", &[]).await;
    let mut call = client.stream("BidiStream", &[]);
    for _ in 0..50 {
        call.send(&[b'x'; 100_000]);
    }
    for _ in 0..10 {
        assert!(call.next().await.is_some());
    }
    assert_eq!(call.status().await, ok());
}

#[tokio::test]
async fn an_http_status_before_any_message_decides_the_status() {
    let (_php_fpm, _proxy, client) = serve_streams("http_status.php", &[]).await;
    let mut call = client.stream("BidiStream", &[("x-http-status", "403")]);
    // php-fpm sends unflushed output only after it has read all of the input.
    call.half_close();
    assert_eq!(
        call.status().await,
        (
            Code::PermissionDenied,
            "the application answered with HTTP status 403".into()
        )
    );
}

#[tokio::test]
async fn too_many_streams_are_refused_at_once_and_unary_calls_still_run() {
    let (_php_fpm, proxy, client) = serve_streams("stream_echo.php", &["--max-streams", "1"]).await;
    let mut first = client.stream("BidiStream", &[]);
    first.send(b"here");
    assert_eq!(first.next().await.unwrap(), b"here");
    let mut second = client.stream("BidiStream", &[]);
    assert_eq!(
        second.status().await,
        (
            Code::ResourceExhausted,
            "too many concurrent streaming calls".into()
        )
    );
    first.half_close();
    assert_eq!(first.status().await, ok());
    proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
    let mut third = client.stream("BidiStream", &[]);
    third.half_close();
    assert_eq!(third.status().await, ok());
}

#[tokio::test]
async fn a_stream_waits_for_another_to_end_if_allowed() {
    let flags = ["--max-streams", "1", "--max-stream-wait", "20s"];
    let (_php_fpm, proxy, client) = serve_streams("stream_echo.php", &flags).await;
    let mut first = client.stream("BidiStream", &[]);
    first.send(b"here");
    assert_eq!(first.next().await.unwrap(), b"here");
    let mut second = client.stream("BidiStream", &[]);
    second.half_close();
    proxy.metric_becomes("fcgi_calls_waiting", 1.0).await;
    first.half_close();
    assert_eq!(first.status().await, ok());
    assert_eq!(second.status().await, ok());
}

#[tokio::test]
async fn a_stream_waits_no_longer_than_allowed() {
    let flags = ["--max-streams", "1", "--max-stream-wait", "50ms"];
    let (_php_fpm, proxy, client) = serve_streams("stream_echo.php", &flags).await;
    let mut first = client.stream("BidiStream", &[]);
    first.send(b"here");
    assert_eq!(first.next().await.unwrap(), b"here");
    assert_eq!(
        client.stream("BidiStream", &[]).status().await,
        (
            Code::ResourceExhausted,
            "too many concurrent streaming calls".into()
        )
    );
    assert_eq!(proxy.metric("fcgi_calls_waiting").await, 0.0);
}

#[tokio::test]
async fn a_script_that_writes_notices_that_its_client_has_gone() {
    let (php_fpm, mut proxy, client) = serve_streams("stream_slow.php", &[]).await;
    let mut call = client.stream("BidiStream", &[]);
    assert!(call.next().await.is_some());
    drop(call);
    let logged = proxy.logged(|record| record["message"] == "call").await;
    assert_eq!(logged["grpc_code"], "Canceled");
    proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
    let ended = async {
        while !php_fpm.ended_file().exists() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), ended)
        .await
        .expect("the script does not notice");
}

#[tokio::test]
async fn a_message_over_the_limit_ends_the_call() {
    let (_php_fpm, proxy, client) =
        serve_streams("stream_echo.php", &["--max-receive-message-size", "1000"]).await;
    let mut call = client.stream("BidiStream", &[]);
    call.send(&[b'x'; 1000]);
    assert_eq!(call.next().await.unwrap().len(), 1000);
    call.send(&[b'x'; 1001]);
    assert_eq!(
        call.status().await,
        (
            Code::ResourceExhausted,
            "the request message exceeds the size limit".into()
        )
    );
    proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
}
