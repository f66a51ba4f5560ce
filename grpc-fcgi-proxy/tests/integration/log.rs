//! The log: PHP's lines, and calls.

use tonic::Code;

use crate::support::{ending_with, serve};

#[tokio::test]
async fn each_line_of_stderr_is_logged_with_the_ids_of_the_call() {
    let (_php_fpm, mut proxy, client) = serve("stderr.php", &[]).await;
    let response = client
        .call(
            b"body",
            &[
                ("x-request-id", "id-\"quoted\""),
                ("traceparent", "00-trace-span-01"),
            ],
        )
        .await;
    assert_eq!(response.content(), b"body");
    // php-fpm joins the messages of a request, and keeps the line ends in them.
    let first = "PHP message: a line with \"quotes\" and \\backslashes\\; PHP message: another line; \
                 PHP message: text";
    for text in [first, "of three", "lines"] {
        let record = proxy
            .logged(|record| record["target"] == "application")
            .await;
        assert_eq!(record["message"], text);
        assert_eq!(record["request_id"], "id-\"quoted\"");
        assert_eq!(record["trace_id"], "trace");
        assert_eq!(record["path"], "/test.Service/Method");
    }
}

#[tokio::test]
async fn a_call_is_logged() {
    let (_php_fpm, mut proxy, client) = serve("status.php", &[]).await;
    client
        .call(
            b"",
            &[
                ("x-request-id", "abc"),
                ("b3", "trace-span-1"),
                ending_with(Code::NotFound),
            ],
        )
        .await;
    let record = proxy.logged(|record| record["message"] == "call").await;
    for (field, value) in [
        ("path", "/test.Service/Method"),
        ("request_id", "abc"),
        ("trace_id", "trace"),
        ("grpc_code", "NotFound"),
        ("level", "INFO"),
    ] {
        assert_eq!(record[field], value, "{record}");
    }
    assert!(record["duration_ms"].as_f64().unwrap() > 0.0);
}
