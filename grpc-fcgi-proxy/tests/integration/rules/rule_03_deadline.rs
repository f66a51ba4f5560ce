//! grpc-timeout is 1 to 8 digits and one of H, M, S, m, u, n; an expired deadline is DEADLINE_EXCEEDED.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, timeout};

use tonic::Code;

use crate::support::{serve, serve_streams};

#[tokio::test]
async fn an_expired_deadline_ends_the_call_at_once() {
    let (_php_fpm, proxy, client) = serve("sleep.php", &[]).await;
    for time in ["50m", "50000u", "99999999n", "0S"] {
        let metadata = [("x-seconds", "2"), ("grpc-timeout", time)];
        let start = Instant::now();
        let response = client.call(b"", &metadata).await;
        assert_eq!(
            response.status(),
            (Code::DeadlineExceeded, "the deadline has expired"),
            "{time}"
        );
        assert!(start.elapsed() < Duration::from_secs(1), "{time}");
    }
    proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
}

/// A deadline that has expired before the script could start must not start it.
#[tokio::test]
async fn an_expired_deadline_runs_no_script() {
    for streams in [false, true] {
        let (_php_fpm, proxy, client) = match streams {
            false => serve("echo.php", &[]).await,
            true => serve_streams("stream_echo.php", &[]).await,
        };
        let path = match streams {
            false => "/test.Service/Method",
            true => "/test.Service/BidiStream",
        };
        for time in ["0n", "1n", "1u"] {
            let response = client
                .call_method(path, b"", &[("grpc-timeout", time)])
                .await;
            let expired = (Code::DeadlineExceeded, "the deadline has expired");
            assert_eq!(response.status(), expired, "{time}");
        }
        proxy.becomes_idle().await;
        let sent = r#"fcgi_bytes_total{direction="sent"}"#;
        assert_eq!(proxy.metric(sent).await, 0.0);
    }
}

#[tokio::test]
async fn php_gets_the_deadline_from_a_timeout_in_any_unit() {
    let (_php_fpm, _proxy, client) = serve("variables.php", &[]).await;
    for (timeout, seconds) in [
        ("1H", 3600),
        ("00000002M", 120),
        ("100S", 100),
        ("100000m", 100),
        ("99000000u", 99),
    ] {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let response = client.call(b"", &[("grpc-timeout", timeout)]).await;
        let deadline = response.variables()["GRPC_DEADLINE"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let left = Duration::from_micros(deadline).saturating_sub(before);
        assert!(
            (seconds - 1..seconds + 5).contains(&left.as_secs()),
            "{timeout}: {left:?}"
        );
    }
}

#[tokio::test]
async fn without_a_timeout_there_is_no_deadline() {
    let (_php_fpm, _proxy, client) = serve("variables.php", &[]).await;
    let variables = client.call(b"", &[]).await.variables();
    assert!(variables.get("GRPC_DEADLINE").is_none());
}

#[tokio::test]
async fn a_malformed_timeout_is_refused() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    for text in ["", "1", "1s", "123456789S", "-1S"] {
        let response = client.call(b"", &[("grpc-timeout", text)]).await;
        assert_eq!(
            response.status(),
            (Code::Internal, "malformed grpc-timeout"),
            "{text:?}"
        );
    }
}

#[tokio::test]
async fn a_deadline_ends_a_stream_in_time() {
    let (_php_fpm, proxy, client) = serve_streams("stream_echo.php", &[]).await;
    let mut call = client.stream("BidiStream", &[("grpc-timeout", "200m")]);
    call.send(b"one");
    assert_eq!(call.next().await.unwrap(), b"one");
    let status = timeout(Duration::from_secs(5), call.status())
        .await
        .expect("in time");
    assert_eq!(
        status,
        (Code::DeadlineExceeded, "the deadline has expired".into())
    );
    proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
}
