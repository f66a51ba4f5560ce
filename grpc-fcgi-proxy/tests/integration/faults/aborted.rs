//! A client that aborts its call, in each phase: it resets the call, or its connection breaks. Nothing may leak.

use std::net::Shutdown;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{KINDS, check_recovery, serve_fixture};
use crate::support::{Client, PhpFpm, Proxy, StreamingCall, message};

/// How a client aborts.
#[derive(Clone, Copy, Debug)]
enum Abort {
    Reset,
    Disconnect,
}

type Stack = (PhpFpm, Proxy, Client);

/// Each of these kinds of call, with each abort.
fn each<'a>(kinds: &'a [&'a str]) -> impl Iterator<Item = (&'a str, Abort)> {
    let aborts = |kind| [(kind, Abort::Reset), (kind, Abort::Disconnect)];
    kinds.iter().copied().flat_map(aborts)
}

/// A call that is alone on its connection.
struct Lone {
    socket: std::net::TcpStream,
    client: Client,
    call: StreamingCall,
}

impl Lone {
    /// Begins a call, and sends these bytes.
    async fn begin(stack: &Stack, kind: &str, metadata: &[(&str, &str)], body: &[u8]) -> Self {
        let stream = TcpStream::connect(stack.1.address).await.unwrap();
        let stream = stream.into_std().unwrap();
        let socket = stream.try_clone().unwrap();
        let client = Client::over(TcpStream::from_std(stream).unwrap())
            .await
            .unwrap();
        let call = client.stream(kind, metadata);
        call.send_bytes(body);
        Self {
            socket,
            client,
            call,
        }
    }

    async fn abort(self, (php_fpm, proxy, other): &Stack, abort: Abort) {
        match abort {
            Abort::Reset => drop(self.call),
            Abort::Disconnect => self.socket.shutdown(Shutdown::Both).unwrap(),
        }
        check_recovery(php_fpm, proxy, other).await;
    }
}

/// By hand: a client library cannot stop in the middle of a HEADERS frame.
#[tokio::test]
async fn a_client_may_abort_within_its_header_fields() {
    let (php_fpm, proxy, client) = serve_fixture("echo.php", &[]).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    // HEADERS of stream 1 with 17 bytes; END_HEADERS is not set, so CONTINUATION must follow.
    let headers = b"\0\0\x11\x01\0\0\0\0\x01\x83\x86\x84\x41\x0ctest.example";
    let opening = [&preface[..], headers].concat();
    for cut in [
        0,
        10,
        preface.len(),
        preface.len() + 5,
        opening.len() - 3,
        opening.len(),
    ] {
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        stream.write_all(&opening[..cut]).await.unwrap();
        drop(stream);
        check_recovery(&php_fpm, &proxy, &client).await;
    }
}

#[tokio::test]
async fn a_client_may_abort_while_it_sends() {
    let stack = serve_fixture("stream_sum.php", &[]).await;
    let half = &message(&[b'x'; 100_000])[..50_000];
    for (kind, abort) in each(&KINDS) {
        let lone = Lone::begin(&stack, kind, &[], half).await;
        if kind == "Unary" {
            // It takes no place before its message is complete, but the next call on its connection begins after it.
            tokio::task::yield_now().await;
            lone.client.call_method("/probe.Unary/Echo", b"", &[]).await;
        } else {
            stack.1.metric_becomes("fcgi_exchanges_running", 1.0).await;
        }
        lone.abort(&stack, abort).await;
    }
}

#[tokio::test]
async fn a_client_may_abort_while_it_waits_for_a_place() {
    let stack = serve_fixture("sleep.php", &[]).await;
    let (_, proxy, client) = &stack;
    for (kind, abort) in each(&KINDS) {
        let running = client.clone();
        let running =
            tokio::spawn(async move { running.call(b"x", &[("x-seconds", "0.3")]).await });
        proxy.metric_becomes("fcgi_exchanges_running", 1.0).await;
        let mut lone = Lone::begin(&stack, kind, &[("x-seconds", "9")], &message(b"x")).await;
        lone.call.half_close();
        proxy.metric_becomes("fcgi_calls_waiting", 1.0).await;
        lone.abort(&stack, abort).await;
        assert_eq!(running.await.unwrap().content(), b"x", "{kind} {abort:?}");
    }
}

#[tokio::test]
async fn a_client_may_abort_while_the_script_runs() {
    let stack = serve_fixture("sleep.php", &[]).await;
    for (kind, abort) in each(&KINDS) {
        let mut lone = Lone::begin(&stack, kind, &[("x-seconds", "0.2")], &message(b"x")).await;
        lone.call.half_close();
        stack.1.metric_becomes("fcgi_exchanges_running", 1.0).await;
        lone.abort(&stack, abort).await;
    }
}

/// The response exceeds HTTP/2's window, and the client reads nothing of it.
#[tokio::test]
async fn a_client_may_abort_while_it_receives_a_unary_response() {
    let stack = serve_fixture("large.php", &[]).await;
    for (kind, abort) in each(&KINDS[..1]) {
        let mut lone = Lone::begin(&stack, kind, &[("x-size", "10000000")], &message(b"")).await;
        lone.call.half_close();
        lone.call.headers().await;
        lone.abort(&stack, abort).await;
    }
}

#[tokio::test]
async fn a_client_may_abort_while_it_receives_a_stream() {
    let stack = serve_fixture("stream_count.php", &[]).await;
    let metadata = [("x-count", "100000000"), ("x-size", "10000")];
    for (kind, abort) in each(&KINDS[1..]) {
        let mut lone = Lone::begin(&stack, kind, &metadata, &message(b"")).await;
        assert_eq!(lone.call.next().await.unwrap().len(), 10_000);
        lone.abort(&stack, abort).await;
    }
}
