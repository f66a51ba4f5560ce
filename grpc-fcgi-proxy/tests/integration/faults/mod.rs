//! An application or a client that fails in the middle of a call. Nothing may be left of it afterwards.

mod aborted;
mod down;
mod killed;
mod output;
mod records;
mod stalled;
mod unread;

use tonic::Code;

use crate::support::scripted::{BODY, Scripted};
use crate::support::{Client, PhpFpm, Proxy, php, serve_streams};

/// With one place, a call that loses it is noticed at the next.
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

/// A fixture for `test.Service`; `well.Service` echoes.
async fn serve_fixture(fixture: &str, flags: &[&str]) -> (PhpFpm, Proxy, Client) {
    let unary = format!("--route=well.Unary={}", php("fixtures/echo.php").display());
    let streaming = format!(
        "--route=well.Service={}",
        php("fixtures/stream_echo.php").display()
    );
    let flags = [&ONE_PLACE, &[unary.as_str(), &streaming][..], flags].concat();
    serve_streams(fixture, &flags).await
}

/// No place is lost, no worker pinned, no call left; and the next one works, of whatever kind.
async fn all_is_well(php_fpm: &PhpFpm, proxy: &Proxy, client: &Client) {
    proxy.becomes_idle().await;
    php_fpm.becomes_idle().await;
    let answer = client.call_method("/well.Unary/Echo", b"well", &[]).await;
    assert_eq!(answer.content(), b"well");
    let mut stream = client.stream_at("/well.Service/BidiStream", &[]);
    stream.send(b"well");
    stream.half_close();
    assert_eq!(stream.next().await.unwrap(), b"well");
    assert_eq!(stream.status().await.0, Code::Ok);
}

/// The same with a scripted application, which answers well when its scripts are at their end.
async fn all_is_well_with(application: &Scripted, proxy: &Proxy, client: &Client) {
    proxy.becomes_idle().await;
    application.is_left_alone().await;
    let answer = client.call_method("/well.Unary/Method", b"", &[]).await;
    assert_eq!(answer.content(), BODY);
    let mut stream = client.stream_at("/well.Service/BidiStream", &[]);
    stream.half_close();
    assert_eq!(stream.status().await, (Code::Ok, String::new()));
}

/// Calls a method of `test.Service` with one message; gives the code and the message of its status.
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
