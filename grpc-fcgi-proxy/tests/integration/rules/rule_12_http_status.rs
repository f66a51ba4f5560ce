//! An answer without Grpc-Status has the code that its HTTP status maps to; 200 is OK.

use tonic::Code;

use crate::support::serve;

#[tokio::test]
async fn an_http_status_alone_becomes_a_code() {
    let (_php_fpm, _proxy, client) = serve("http_status.php", &[]).await;
    let table = [
        ("400", Code::Internal),
        ("401", Code::Unauthenticated),
        ("403", Code::PermissionDenied),
        ("404", Code::Unimplemented),
        ("429", Code::Unavailable),
        ("418", Code::Unknown),
        ("500", Code::Unknown),
        ("502", Code::Unavailable),
        ("503", Code::Unavailable),
        ("504", Code::Unavailable),
    ];
    for (http_status, code) in table {
        let response = client.call(b"", &[("x-http-status", http_status)]).await;
        assert_eq!(response.status().0, code, "{http_status}");
        assert!(response.body.is_empty(), "the client gets the page");
    }
}

#[tokio::test]
async fn without_either_status_an_answer_is_ok() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    assert_eq!(client.call(b"x", &[]).await.content(), b"x");
    let (_php_fpm, _proxy, client) = serve("http_status.php", &[]).await;
    let response = client.call(b"", &[("x-http-status", "200")]).await;
    assert_eq!(response.status(), (Code::Ok, ""));
}
