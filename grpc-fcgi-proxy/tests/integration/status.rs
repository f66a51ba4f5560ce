//! How an answer of PHP becomes a status.

use crate::support::{message, serve};

#[tokio::test]
async fn a_script_says_its_status() {
    let (_php_fpm, _proxy, client) = serve("status.php", &[]).await;
    let metadata = [
        ("x-status", "9"),
        ("x-message", "not%20%E2%98%BA now"),
        ("x-details-bin", "CAkSAA=="),
    ];
    let answer = client.call(b"", &metadata).await;
    assert_eq!(answer.status(), ("9", "not %E2%98%BA now"));
    assert_eq!(answer.headers["grpc-status-details-bin"], "CAkSAA");
    assert!(answer.body.is_empty() && answer.trailers.is_empty());
}

#[tokio::test]
async fn an_empty_message_with_status_ok_is_a_message() {
    let (_php_fpm, _proxy, client) = serve("status.php", &[]).await;
    assert_eq!(client.call(b"", &[("x-status", "0")]).await.content(), b"");
}

/// http-grpc-status-mapping.
#[tokio::test]
async fn an_http_status_alone_becomes_a_code() {
    let (_php_fpm, _proxy, client) = serve("http_status.php", &[]).await;
    let table = [
        ("400", "13"),
        ("401", "16"),
        ("403", "7"),
        ("404", "12"),
        ("429", "14"),
        ("500", "2"),
        ("502", "14"),
        ("503", "14"),
        ("504", "14"),
    ];
    for (http_status, code) in table {
        let answer = client.call(b"", &[("x-http-status", http_status)]).await;
        assert_eq!(answer.status().0, code, "{http_status}");
        assert!(answer.body.is_empty(), "the page goes to no client");
    }
}

#[tokio::test]
async fn an_uncaught_exception_is_unknown_and_told_to_the_log_only() {
    let (_php_fpm, mut proxy, client) = serve("fatal.php", &[]).await;
    let answer = client.call(b"", &[]).await;
    assert_eq!(
        answer.status(),
        ("2", "the application answered with HTTP status 500")
    );
    let logged = proxy
        .logged(|record| record["target"] == "application")
        .await;
    assert!(
        logged["message"]
            .as_str()
            .unwrap()
            .contains("a secret of the application")
    );
}

#[tokio::test]
async fn what_is_not_grpc_is_415() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    for content_type in [
        "application/json",
        "application/grpc-web",
        "application/grpcx",
    ] {
        let answer = client
            .send("/a.B/C", message(b""), &[("content-type", content_type)])
            .await;
        assert_eq!(answer.unwrap().http_status, 415, "{content_type}");
    }
    let answer = client
        .send(
            "/a.B/C",
            message(b""),
            &[("content-type", "application/grpc+proto")],
        )
        .await;
    assert_eq!(answer.unwrap().status().0, "0");
}

#[tokio::test]
async fn a_path_that_names_no_method_is_unimplemented() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    for path in ["/", "/a.B", "/a.B/C/D", "/a%2eB/C"] {
        assert_eq!(
            client.call_method(path, b"", &[]).await.status(),
            ("12", "no such method"),
            "{path}"
        );
    }
}
