//! An application whose output is far too long.

use tonic::Code;

use super::{ONE_PLACE, check_recovery, check_recovery_of, serve_fixture, status, status_of};
use crate::support::scripted::Step::{Flood, Read, Send};
use crate::support::scripted::{BODY, END, HEAD, stderr, stdout};
use crate::support::serve_scripted;

/// Of the whole proxy, in KiB.
const MEMORY_LIMIT: u64 = 64 * 1024;
const RECORDS: usize = 2000;

/// 125 MiB before the response, and as much in the middle of it.
#[tokio::test]
async fn a_flood_of_stderr_neither_grows_memory_nor_fails_the_call() {
    let (application, proxy, client) = serve_scripted(&ONE_PLACE).await;
    let flood = Flood(stderr(&[b'x'; 65_535]), RECORDS);
    let steps = [
        Read,
        flood.clone(),
        Send(stdout(HEAD)),
        flood,
        Send([&stdout(BODY)[..], &END].concat()),
    ];
    for kind in ["Unary", "BidiStream"] {
        application.next(&steps);
        assert_eq!(
            status_of(&client, kind, &[]).await,
            status(Code::Ok, ""),
            "{kind}"
        );
        check_recovery_of(&application, &proxy, &client).await;
    }
    assert!(
        proxy.peak_memory() < MEMORY_LIMIT,
        "{} KiB",
        proxy.peak_memory()
    );
}

#[tokio::test]
async fn a_long_log_of_php_is_truncated() {
    let (php_fpm, mut proxy, client) = serve_fixture("stderr_flood.php", &[]).await;
    for kind in ["Unary", "ServerStream", "BidiStream"] {
        let ended = status_of(&client, kind, &[("x-size", "4000000")]).await;
        assert_eq!(ended, status(Code::Ok, ""), "{kind}");
        let logged = proxy.logged(|record| record["bytes"].is_u64()).await;
        assert_eq!(
            logged["message"],
            "dropped the rest of the script's output to STDERR"
        );
        check_recovery(&php_fpm, &proxy, &client).await;
    }
}

#[tokio::test]
async fn header_fields_of_1_mib_are_refused() {
    let (php_fpm, proxy, client) = serve_fixture("long_header.php", &[]).await;
    let refused = status(Code::Internal, "the application's answer is malformed");
    for kind in ["Unary", "BidiStream"] {
        let ended = status_of(&client, kind, &[("x-size", "1000")]).await;
        assert_eq!(ended, status(Code::Ok, ""), "{kind}");
        let ended = status_of(&client, kind, &[("x-size", "1048576")]).await;
        assert_eq!(ended, refused, "{kind}");
        check_recovery(&php_fpm, &proxy, &client).await;
    }
}
