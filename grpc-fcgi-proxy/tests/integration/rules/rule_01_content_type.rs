//! A content type other than application/grpc or application/grpc+… is HTTP 415; paths are case-sensitive.

use http::StatusCode;

use tonic::Code;

use crate::support::{Client, MODES, PhpFpm, Proxy, message, php, serve, serve_streams};

#[tokio::test]
async fn other_content_types_are_415() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    let refused = [
        "",
        "text/plain",
        "application/json",
        "application/grpc-web",
        "application/grpcx",
    ];
    for content_type in refused {
        let headers = [("content-type", content_type)];
        let response = client.send("/a.B/C", message(b""), &headers).await.unwrap();
        assert_eq!(
            response.http_status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{content_type}"
        );
    }
    let response = client.send("/a.B/C", message(b""), &[]).await.unwrap();
    assert_eq!(response.http_status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

/// PHP must not run for a method that a cache or a crawler may repeat.
#[tokio::test]
async fn other_http_methods_are_405() {
    let (_php_fpm, proxy, client) = serve("echo.php", &[]).await;
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let headers = [("content-type", "application/grpc")];
        let response = client
            .send_method(method, "/a.B/C", message(b""), &headers)
            .await
            .unwrap();
        assert_eq!(
            response.http_status,
            StatusCode::METHOD_NOT_ALLOWED,
            "{method}"
        );
        assert_eq!(response.headers["allow"], "POST", "{method}");
    }
    let ran = r#"fcgi_exchanges_total{outcome="complete"}"#;
    assert_eq!(proxy.metric(ran).await, 0.0);
}

#[tokio::test]
async fn every_grpc_content_type_passes() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc+json",
    ] {
        let headers = [("content-type", content_type)];
        let response = client.send("/a.B/C", message(b""), &headers).await.unwrap();
        assert_eq!(response.http_status, StatusCode::OK, "{content_type}");
        assert_eq!(response.content(), b"");
    }
}

#[tokio::test]
async fn paths_are_case_sensitive() {
    let php_fpm = PhpFpm::start().await;
    let script = php("item/index.php");
    for flags in MODES {
        let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), flags).await;
        let client = Client::connect(proxy.address).await;
        for (path, code) in [
            ("/item.ItemService/ListItems", Code::Ok),
            ("/item.ItemService/listItems", Code::Unimplemented),
            ("/item.itemService/ListItems", Code::Unimplemented),
            ("/Item.ItemService/ListItems", Code::Unimplemented),
        ] {
            let response = client.call_method(path, b"", &[]).await;
            assert_eq!(response.status().0, code, "{path} {flags:?}");
        }
    }
}

#[tokio::test]
async fn the_kind_of_a_method_depends_on_its_exact_path() {
    let (_php_fpm, _proxy, client) = serve_streams("variables.php", &[]).await;
    let response = client
        .call_method("/test.Service/bidistream", b"", &[])
        .await;
    assert_eq!(response.variables()["GRPC_CALL_KIND"], "unary");
}
