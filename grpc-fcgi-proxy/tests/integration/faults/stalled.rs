//! An application or a client that stalls: the deadline ends the call, and a stalled client holds no worker.

use std::time::Duration;

use tokio::time::timeout;

use tonic::Code;

use super::{
    KINDS, ONE_PLACE, check_recovery, check_recovery_of, serve_fixture, status, status_of,
};
use crate::support::scripted::Step::{Read, ReadParams, Send, Stall};
use crate::support::scripted::{BODY, END, HEAD, good_answer, stdout};
use crate::support::{message, serve_scripted};

const DEADLINE: (&str, &str) = ("grpc-timeout", "100m");
/// A call that ends within it has waited for its deadline only.
const SOON: Duration = Duration::from_secs(5);

fn deadline_exceeded() -> (Code, String) {
    status(Code::DeadlineExceeded, "the deadline has expired")
}

#[tokio::test]
async fn a_stalled_application_fails_the_call_at_its_deadline() {
    let (application, proxy, client) = serve_scripted(&ONE_PLACE).await;
    let answer = good_answer();
    let without_end = answer[..answer.len() - END.len()].to_vec();
    let table = [
        ("reads nothing", vec![Stall]),
        ("reads half", vec![ReadParams, Stall]),
        ("answers nothing", vec![Read, Stall]),
        (
            "half a record",
            vec![Read, Send(answer[..4].to_vec()), Stall],
        ),
        (
            "half a header",
            vec![Read, Send(stdout(b"Content-")), Stall],
        ),
        (
            "half a body",
            vec![
                Read,
                Send([stdout(HEAD), stdout(&BODY[..9])].concat()),
                Stall,
            ],
        ),
        ("no END_REQUEST", vec![Read, Send(without_end), Stall]),
    ];
    for (what, steps) in table {
        for kind in KINDS {
            application.next(&steps);
            let ended = timeout(SOON, status_of(&client, kind, &[DEADLINE])).await;
            assert_eq!(
                ended.expect("in time"),
                deadline_exceeded(),
                "{what}: {kind}"
            );
            check_recovery_of(&application, &proxy, &client).await;
        }
    }
}

/// The status is known, so the client need not wait for the script's end.
#[tokio::test]
async fn a_stream_ends_with_its_trailers_though_its_script_runs_on() {
    let (application, proxy, client) = serve_scripted(&ONE_PLACE).await;
    let answer = good_answer();
    let without_end = answer[..answer.len() - END.len()].to_vec();
    for kind in &KINDS[1..] {
        application.next(&[Read, Send(without_end.clone()), Stall]);
        let ended = timeout(SOON, status_of(&client, kind, &[])).await;
        assert_eq!(ended.expect("in time"), status(Code::Ok, ""), "{kind}");
        check_recovery_of(&application, &proxy, &client).await;
    }
}

/// The message is larger than all buffers on the way.
#[tokio::test]
async fn an_application_that_does_not_read_fails_the_call_at_its_deadline() {
    let (application, proxy, client) =
        serve_scripted(&[&ONE_PLACE[..], &["--max-receive-message-size=40000000"]].concat()).await;
    for kind in KINDS {
        application.next(&[Stall]);
        let mut call = client.stream(kind, &[("grpc-timeout", "500m")]);
        call.send_bytes(&message(&vec![b'x'; 32 * 1024 * 1024]));
        call.half_close();
        let ended = timeout(SOON, call.status()).await.expect("in time");
        assert_eq!(ended, deadline_exceeded(), "{kind}");
        check_recovery_of(&application, &proxy, &client).await;
    }
}

/// A unary call waits for its message before it takes a place.
#[tokio::test]
async fn a_client_that_stops_sending_fails_its_call_at_the_deadline() {
    let (php_fpm, proxy, client) = serve_fixture("stream_sum.php", &[]).await;
    for kind in KINDS {
        for sent in [0, 3, 7] {
            let mut call = client.stream(kind, &[DEADLINE]);
            call.send_bytes(&message(b"half")[..sent]);
            let ended = timeout(SOON, call.status()).await.expect("in time");
            assert_eq!(ended, deadline_exceeded(), "{kind} with {sent} bytes");
            check_recovery(&php_fpm, &proxy, &client).await;
        }
    }
}

#[tokio::test]
async fn a_unary_client_that_stops_sending_holds_no_place() {
    let (php_fpm, proxy, client) = serve_fixture("echo.php", &[]).await;
    let mut call = client.stream("Unary", &[]);
    call.send_bytes(&message(b"whole")[..7]);
    assert_eq!(client.call(b"meanwhile", &[]).await.content(), b"meanwhile");
    call.send_bytes(&message(b"whole")[7..]);
    call.half_close();
    assert_eq!(call.next().await.unwrap(), b"whole");
    assert_eq!(call.status().await.0, Code::Ok);
    check_recovery(&php_fpm, &proxy, &client).await;
}

#[tokio::test]
async fn a_unary_client_that_stops_reading_holds_no_worker() {
    let (php_fpm, proxy, client) = serve_fixture("large.php", &[]).await;
    let mut call = client.stream("Unary", &[("x-size", "10000000")]);
    call.send(b"");
    call.half_close();
    call.headers().await;
    // It reads nothing of the message, which exceeds HTTP/2's window.
    proxy.becomes_idle().await;
    php_fpm.becomes_idle().await;
    let other = client.call(b"", &[("x-size", "1")]).await;
    assert_eq!(other.content(), b"a");
    assert_eq!(call.next().await.unwrap().len(), 10_000_000);
    assert_eq!(call.status().await.0, Code::Ok);
    check_recovery(&php_fpm, &proxy, &client).await;
}

#[tokio::test]
async fn a_streaming_client_that_stops_reading_holds_its_worker_until_the_deadline() {
    let (php_fpm, proxy, client) = serve_fixture("stream_count.php", &[]).await;
    for kind in &KINDS[1..] {
        let metadata = [
            ("x-count", "1000"),
            ("x-size", "65536"),
            ("grpc-timeout", "4S"),
        ];
        let mut call = client.stream(kind, &metadata);
        call.send(b"");
        call.half_close();
        call.headers().await;
        php_fpm.active_workers_become(1).await;
        // It reads nothing of 64 MiB, but the call ends for the proxy and for php-fpm.
        proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
        php_fpm.becomes_idle().await;
        while call.next().await.is_some() {}
        assert_eq!(call.status().await, deadline_exceeded(), "{kind}");
        check_recovery(&php_fpm, &proxy, &client).await;
    }
}

#[tokio::test]
async fn without_a_deadline_only_the_client_ends_a_stalled_call() {
    let (application, proxy, client) = serve_scripted(&ONE_PLACE).await;
    for kind in KINDS {
        application.next(&[Read, Stall]);
        let mut call = client.stream(kind, &[]);
        call.send(b"");
        call.half_close();
        application.has_begun().await;
        drop(call);
        check_recovery_of(&application, &proxy, &client).await;
    }
}
