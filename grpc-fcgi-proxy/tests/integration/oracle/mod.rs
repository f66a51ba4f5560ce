//! The oracle: through the proxy a client gets the same as the fastcgi-client crate from php-fpm itself.
//!
//! Messages, metadata and statuses are random; PROPTEST_CASES sets the number of cases.

mod call;
mod ended;
mod modes;

use fastcgi_client::Params;
use proptest::test_runner::{Config, TestRunner};
use tonic::Code;

use self::call::{RandomCall, random_call};
use self::ended::Ended;
use crate::support::{Client, PhpFpm, Proxy, Response, php, serve};

const FIXTURE: &str = "told.php";
const CASES: u32 = 256;

/// PROPTEST_CASES takes precedence.
fn config(cases: u32) -> Config {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    config
}

#[test]
fn the_proxy_answers_as_php_fpm_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (php_fpm, proxy, client) = runtime.block_on(serve(FIXTURE, &[]));
    let compared = TestRunner::new(config(CASES)).run(&random_call(), |call| {
        let (through, direct) = runtime.block_on(async {
            (
                Ended::of_call(through_the_proxy(&client, &call).await),
                Ended::of_cgi(&without_the_proxy(&php_fpm, &proxy, &call).await),
            )
        });
        assert_eq!(through, direct);
        assert_eq!(
            (through.code, through.text.as_str(), &through.details),
            (
                call.status.code(),
                call.status.text(through.text.as_str()),
                &call.status.details()
            )
        );
        let content = (through.code == Code::Ok).then_some(&call.content);
        assert_eq!(through.content.as_ref(), content);
        Ok(())
    });
    compared.unwrap();
}

async fn through_the_proxy(client: &Client, call: &RandomCall) -> Response {
    let metadata: Vec<_> = call
        .metadata
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    client
        .call_method(&call.path(), &call.message(), &metadata)
        .await
}

/// With the meta-variables of BINDING.md.
async fn without_the_proxy(php_fpm: &PhpFpm, proxy: &Proxy, call: &RandomCall) -> Vec<u8> {
    let script = php("fixtures").join(FIXTURE);
    let (path, message) = (call.path(), call.message());
    let variables = [
        ("GATEWAY_INTERFACE", "CGI/1.1".to_owned()),
        ("SERVER_PROTOCOL", "HTTP/2.0".to_owned()),
        ("SERVER_NAME", "test.example".to_owned()),
        ("SERVER_ADDR", "127.0.0.1".to_owned()),
        ("SERVER_PORT", proxy.address.port().to_string()),
        ("REMOTE_ADDR", "127.0.0.1".to_owned()),
        ("REQUEST_METHOD", "POST".to_owned()),
        ("REQUEST_URI", path.clone()),
        ("SCRIPT_NAME", path),
        ("SCRIPT_FILENAME", script.display().to_string()),
        (
            "DOCUMENT_ROOT",
            script.parent().unwrap().display().to_string(),
        ),
        ("QUERY_STRING", String::new()),
        ("CONTENT_TYPE", "application/grpc".to_owned()),
        ("CONTENT_LENGTH", message.len().to_string()),
        ("GRPC_SERVICE", call.service.clone()),
        ("GRPC_METHOD", call.method.clone()),
        ("GRPC_CALL_KIND", "unary".to_owned()),
        ("GRPC_CLIENT_PROTOCOL", "grpc".to_owned()),
        ("GRPC_CLIENT_CODEC", "proto".to_owned()),
        ("GRPC_MESSAGE_COMPRESSED", "0".to_owned()),
        ("GRPC_METADATA", call.metadata_list()),
        ("HTTP_HOST", "test.example".to_owned()),
        ("HTTP_TE", "trailers".to_owned()),
        ("HTTP_CONTENT_TYPE", "application/grpc".to_owned()),
        // The client sends it, and counts the message's prefix.
        ("HTTP_CONTENT_LENGTH", (message.len() + 5).to_string()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let params = variables
        .into_iter()
        .chain(call.header_variables())
        .fold(Params::default(), |params, (name, value)| {
            params.custom(name, value)
        });
    php_fpm.answer(params, &message).await
}
