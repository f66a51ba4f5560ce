//! Metadata and variables of a call.

use crate::support::serve;

#[tokio::test]
async fn php_gets_the_method_in_variables() {
    let (_php_fpm, _proxy, client) = serve("variables.php", &[]).await;
    let variables = client
        .call_method("/shop.v1.Cart/Add", b"12345", &[])
        .await
        .variables();
    let table = [
        ("GRPC_SERVICE", "shop.v1.Cart"),
        ("GRPC_METHOD", "Add"),
        ("GRPC_CALL_KIND", "unary"),
        ("REQUEST_METHOD", "POST"),
        ("REQUEST_URI", "/shop.v1.Cart/Add"),
        ("CONTENT_TYPE", "application/grpc"),
        ("CONTENT_LENGTH", "5"),
        ("SERVER_PROTOCOL", "HTTP/2.0"),
        ("HTTP_HOST", "test.example"),
        ("REMOTE_ADDR", "127.0.0.1"),
    ];
    for (name, value) in table {
        assert_eq!(variables[name], value, "{name}");
    }
    assert!(variables.get("GRPC_DEADLINE").is_none());
}

#[tokio::test]
async fn metadata_cannot_forge_a_variable() {
    let (_php_fpm, _proxy, client) = serve("variables.php", &[]).await;
    let metadata = [
        ("proxy", "http://evil.example"),
        ("x_a", "forged"),
        ("x.b", "dotted"),
        ("php-value", "x=1"),
    ];
    let variables = client.call(b"", &metadata).await.variables();
    for name in [
        "HTTP_PROXY",
        "HTTP_X_A",
        "HTTP_X_B",
        "HTTP_X.B",
        "PHP_VALUE",
    ] {
        assert!(variables.get(name).is_none(), "{name}");
    }
    assert_eq!(variables["HTTP_PHP_VALUE"], "x=1");
    assert!(
        variables["GRPC_METADATA"]
            .as_str()
            .unwrap()
            .contains("x_a: forged\nx.b: dotted\n")
    );
}

#[tokio::test]
async fn the_metadata_of_an_answer_reaches_the_client() {
    let (_php_fpm, _proxy, client) = serve("metadata.php", &[]).await;
    let response = client.call(b"hi", &[]).await;
    assert_eq!(
        response
            .headers
            .get_all("x-initial")
            .iter()
            .collect::<Vec<_>>(),
        ["first", "second"]
    );
    assert_eq!(response.trailers["x-trailing"], "last");
    assert_eq!(response.content(), b"hi");
}
