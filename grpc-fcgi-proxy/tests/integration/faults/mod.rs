//! An application or a client that fails during a call. Afterwards the proxy must have recovered.

mod aborted;
mod cut_short;
mod down;
mod killed;
mod output;
mod records;
mod stalled;
mod unread;

use tonic::Code;

use crate::support::scripted::{BODY, Scripted};
use crate::support::{Client, PhpFpm, Proxy, php, serve_streams};

/// With one place, a call that leaks it blocks the next one.
const ONE_PLACE: [&str; 6] = [
    "--max-exchanges",
    "1",
    "--max-wait",
    "10s",
    "--abandoned-timeout",
    "200ms",
];

/// The methods of `test.Service`, one of each kind.
const KINDS: [&str; 4] = ["Unary", "ClientStream", "ServerStream", "BidiStream"];

/// A fixture for `test.Service`; `probe.Service` echoes.
async fn serve_fixture(fixture: &str, flags: &[&str]) -> (PhpFpm, Proxy, Client) {
    let unary = format!("--route=probe.Unary={}", php("fixtures/echo.php").display());
    let streaming = format!(
        "--route=probe.Service={}",
        php("fixtures/stream_echo.php").display()
    );
    let flags = [&ONE_PLACE, &[unary.as_str(), &streaming][..], flags].concat();
    serve_streams(fixture, &flags).await
}

/// Checks that no place is leaked, no worker pinned and no call left, and that the next calls work.
async fn check_recovery(php_fpm: &PhpFpm, proxy: &Proxy, client: &Client) {
    proxy.becomes_idle().await;
    php_fpm.becomes_idle().await;
    let response = client.call_method("/probe.Unary/Echo", b"probe", &[]).await;
    assert_eq!(response.content(), b"probe");
    let mut stream = client.stream_at("/probe.Service/BidiStream", &[]);
    stream.send(b"probe");
    stream.half_close();
    assert_eq!(stream.next().await.unwrap(), b"probe");
    assert_eq!(stream.status().await.0, Code::Ok);
}

/// The same with a scripted application, which gives good answers when its scripts are used up.
async fn check_recovery_of(application: &Scripted, proxy: &Proxy, client: &Client) {
    proxy.becomes_idle().await;
    application.connections_close().await;
    let response = client.call_method("/probe.Unary/Method", b"", &[]).await;
    assert_eq!(response.content(), BODY);
    let mut stream = client.stream_at("/probe.Service/BidiStream", &[]);
    stream.half_close();
    assert_eq!(stream.status().await, (Code::Ok, String::new()));
}

/// Calls a method of `test.Service` with one message, and returns the status.
async fn status_of(client: &Client, kind: &str, metadata: &[(&str, &str)]) -> (Code, String) {
    let mut call = client.stream(kind, metadata);
    call.send(b"");
    call.half_close();
    while call.next().await.is_some() {}
    call.status().await
}

fn status(code: Code, message: &str) -> (Code, String) {
    (code, message.to_owned())
}
