//! A worker of php-fpm that is killed.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use tonic::Code;

use super::{KINDS, check_recovery, serve_fixture, status, status_of};
use crate::support::message;

const NO_ANSWER: (Code, &str) = (
    Code::Unavailable,
    "the application closed the connection without an answer",
);
const CUT_SHORT: (Code, &str) = (
    Code::Internal,
    "the application closed the connection before its answer was complete",
);
const OK: (Code, &str) = (Code::Ok, "");

#[tokio::test]
async fn an_answer_cut_short_by_a_kill_is_an_error() {
    let (php_fpm, proxy, client) = serve_fixture("killed.php", &[]).await;
    let table = [
        ("before", NO_ANSWER),
        ("during", CUT_SHORT),
        ("after", CUT_SHORT),
        ("complete", OK),
    ];
    for (when, status) in table {
        let metadata = [("x-when", when), ("x-answer-bin", "d2hvbGU=")];
        let response = client.call(b"", &metadata).await;
        assert_eq!(response.status(), status, "{when}");
        assert_eq!(response.body.is_empty(), status != OK, "{when}");
    }
    assert_eq!(
        proxy
            .metric("fcgi_exchanges_total{outcome=\"failed\"}")
            .await,
        3.0
    );
    check_recovery(&php_fpm, &proxy, &client).await;
}

/// The trailers decide the status of a streaming call, even if the worker is killed after them.
#[tokio::test]
async fn a_stream_cut_short_by_a_kill_is_an_error() {
    let (php_fpm, proxy, client) = serve_fixture("killed.php", &[]).await;
    let trailers = b"\x80\0\0\0\x10grpc-status: 0\r\n";
    let whole = BASE64_STANDARD.encode([&message(b"whole"), &trailers[..]].concat());
    let table = [
        ("before", NO_ANSWER),
        ("during", CUT_SHORT),
        ("after", OK),
        ("complete", OK),
    ];
    for kind in &KINDS[1..] {
        for (when, (code, text)) in table {
            let metadata = [("x-when", when), ("x-answer-bin", &whole)];
            let ended = status_of(&client, kind, &metadata).await;
            assert_eq!(ended, status(code, text), "{kind} {when}");
        }
    }
    check_recovery(&php_fpm, &proxy, &client).await;
}
