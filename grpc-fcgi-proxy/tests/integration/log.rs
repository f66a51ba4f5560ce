//! What PHP writes to its log.

use crate::support::serve;

#[tokio::test]
async fn each_line_of_stderr_is_a_record_with_the_request_id() {
    let (_php_fpm, mut proxy, client) = serve("stderr.php", &[]).await;
    let answer = client
        .call(b"body", &[("x-request-id", "id-\"quoted\"")])
        .await;
    assert_eq!(answer.content(), b"body");
    // php-fpm joins the messages of one request, and leaves the ends of lines in them as they are.
    let first = "PHP message: a line with \"quotes\" and \\backslashes\\; PHP message: another line; \
                 PHP message: text";
    for text in [first, "of three", "lines"] {
        let record = proxy
            .logged(|record| record["target"] == "application")
            .await;
        assert_eq!(record["message"], text);
        assert_eq!(record["request_id"], "id-\"quoted\"");
        assert_eq!(record["method"], "/test.Service/Method");
    }
}

#[tokio::test]
async fn a_call_is_a_record() {
    let (_php_fpm, mut proxy, client) = serve("status.php", &[]).await;
    client
        .call(b"", &[("x-request-id", "abc"), ("x-status", "5")])
        .await;
    let record = proxy.logged(|record| record["message"] == "call").await;
    assert_eq!(record["method"], "/test.Service/Method");
    assert_eq!(
        (&record["request_id"], &record["code"]),
        (&"abc".into(), &"NotFound".into())
    );
    assert!(record["seconds"].as_f64().unwrap() > 0.0);
}
