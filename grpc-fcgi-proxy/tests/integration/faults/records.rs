//! Malformed records, split records, and answers that are cut short.

use tonic::Code;

use super::{ONE_PLACE, check_recovery_of, status, status_of};
use crate::support::scripted::Step::{self, Read, ReadParams, Send, SendSplit};
use crate::support::scripted::{BODY, END, HEAD, Scripted, good_answer, stderr, stdout};
use crate::support::{Client, serve_scripted};

const MALFORMED: (Code, &str) = (Code::Internal, "the application's answer is malformed");
const CUT_SHORT: (Code, &str) = (
    Code::Internal,
    "the application closed the connection before its answer was complete",
);
const NO_ANSWER: (Code, &str) = (
    Code::Unavailable,
    "the application closed the connection without an answer",
);
const OK: (Code, &str) = (Code::Ok, "");

/// The statuses of a unary and a streaming call for which the application takes these steps.
async fn statuses(application: &Scripted, client: &Client, steps: &[Step]) -> [(Code, String); 2] {
    application.next(steps);
    let unary = status_of(client, "Unary", &[]).await;
    application.connections_close().await;
    application.next(steps);
    [unary, status_of(client, "BidiStream", &[]).await]
}

fn both((code, message): (Code, &str)) -> [(Code, String); 2] {
    [status(code, message), status(code, message)]
}

#[tokio::test]
async fn a_malformed_record_ends_the_call_at_once() {
    let table: [(&str, &[u8]); 13] = [
        ("version 0", b"\0\x06\0\x01\0\0\0\0"),
        ("version 2", b"\x02\x06\0\x01\0\0\0\0"),
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        ("type 0", b"\x01\0\0\x01\0\0\0\0"),
        (
            "BEGIN_REQUEST",
            b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0",
        ),
        ("STDIN", b"\x01\x05\0\x01\0\0\0\0"),
        ("UNKNOWN_TYPE", b"\x01\x0b\0\0\0\x08\0\0\x09\0\0\0\0\0\0\0"),
        ("type 255", b"\x01\xff\0\x01\0\0\0\0"),
        ("id 0", b"\x01\x06\0\0\0\0\0\0"),
        ("id 2", b"\x01\x06\0\x02\0\0\0\0"),
        ("id 256", b"\x01\x06\x01\0\0\0\0\0"),
        (
            "a short END_REQUEST",
            b"\x01\x03\0\x01\0\x07\0\0\0\0\0\0\0\0\0",
        ),
        (
            "a length that is too small",
            b"\x01\x06\0\x01\0\x02\0\0X-Long: y\r\n",
        ),
    ];
    let (application, proxy, client) = serve_scripted(&ONE_PLACE).await;
    for (what, record) in table {
        for before in [vec![], stderr(b"hm"), stdout(HEAD)] {
            // The connection stays open: only the record can end the call.
            let steps = [Send([&before[..], record].concat()), Step::Stall];
            let ended = statuses(&application, &client, &steps).await;
            assert_eq!(ended, both(MALFORMED), "{what} after {before:?}");
            check_recovery_of(&application, &proxy, &client).await;
        }
    }
}

#[tokio::test]
async fn a_request_that_the_application_refuses_is_unavailable() {
    let (application, proxy, client) = serve_scripted(&ONE_PLACE).await;
    let overloaded = b"\x01\x03\0\x01\0\x08\0\0\0\0\0\0\x02\0\0\0";
    let steps = [Send(overloaded.to_vec()), Step::Stall];
    let ended = statuses(&application, &client, &steps).await;
    assert_eq!(
        ended,
        both((Code::Unavailable, "the application refused the call"))
    );
    check_recovery_of(&application, &proxy, &client).await;
}

#[tokio::test]
async fn an_answer_that_is_not_valid_cgi_is_malformed() {
    let long = vec![b'x'; 65_535];
    let endless = [&stdout(b"X-Long: "), &stdout(&long)[..], &stdout(&long)].concat();
    let table: [(&str, Vec<u8>); 6] = [
        ("nothing", END.to_vec()),
        ("a line without a colon", stdout(b"PHP Warning\r\n\r\n")),
        ("an invalid status", stdout(b"Status: OK\r\n\r\n")),
        ("a field cut short", [&stdout(b"X-A: 1")[..], &END].concat()),
        ("no blank line", [&stdout(b"X-A: 1\r\n")[..], &END].concat()),
        ("endless fields", endless),
    ];
    let (application, proxy, client) = serve_scripted(&ONE_PLACE).await;
    for (what, answer) in table {
        let steps = [Read, Send(answer), Step::Stall];
        let ended = statuses(&application, &client, &steps).await;
        assert_eq!(ended, both(MALFORMED), "{what}");
        check_recovery_of(&application, &proxy, &client).await;
    }
}

/// A stream needs no more than its whole trailers frame: then its status is known.
#[tokio::test]
async fn answer_cut_short_is_an_error() {
    let (application, proxy, client) = serve_scripted(&ONE_PLACE).await;
    let answer = good_answer();
    let trailers_end = answer.len() - END.len();
    for cut in 0..answer.len() {
        let steps = [Read, Send(answer[..cut].to_vec())];
        let [unary, stream] = statuses(&application, &client, &steps).await;
        let cut_short = if cut == 0 { NO_ANSWER } else { CUT_SHORT };
        let in_stream = if cut < trailers_end { cut_short } else { OK };
        assert_eq!(unary, status(cut_short.0, cut_short.1), "cut at {cut}");
        assert_eq!(stream, status(in_stream.0, in_stream.1), "cut at {cut}");
    }
    check_recovery_of(&application, &proxy, &client).await;
}

/// The end of the answer then counts as content of the record.
#[tokio::test]
async fn a_record_length_that_is_too_large_cuts_the_answer_short() {
    let (application, proxy, client) = serve_scripted(&ONE_PLACE).await;
    let mut answer = good_answer();
    answer[5] = 0xff;
    let ended = statuses(&application, &client, &[Read, Send(answer)]).await;
    assert_eq!(ended, both(CUT_SHORT));
    check_recovery_of(&application, &proxy, &client).await;
}

#[tokio::test]
async fn records_may_be_split_at_each_byte() {
    let (application, proxy, client) = serve_scripted(&ONE_PLACE).await;
    let padded = |kind, content: &[u8]| {
        let length = u8::try_from(content.len()).unwrap();
        [&[1, kind, 0, 1, 0, length, 3, 0], content, b"\0\0\0"].concat()
    };
    let stdout_bytewise: Vec<u8> = [HEAD, BODY]
        .concat()
        .iter()
        .flat_map(|byte| stdout(&[*byte]))
        .collect();
    let table = [
        good_answer(),
        [
            &padded(6, HEAD)[..],
            &padded(7, b"log"),
            &padded(6, BODY),
            &padded(6, b""),
            &END,
        ]
        .concat(),
        [&stdout_bytewise[..], &END].concat(),
    ];
    for answer in table {
        let steps = [Read, SendSplit(answer)];
        assert_eq!(statuses(&application, &client, &steps).await, both(OK));
        check_recovery_of(&application, &proxy, &client).await;
    }
}

/// CR and NUL are invalid in metadata, but a status message may contain any character.
#[tokio::test]
async fn a_header_field_with_a_control_character_is_dropped() {
    let (application, proxy, client) = serve_scripted(&ONE_PLACE).await;
    let fields = b"X-Cr: a\rb\r\nX-Nul: a\0b\r\nX\rCr: 1\r\nX\0Nul: 1\r\nX-Good: yes\r\nGrpc-Trailer-X-Cr: a\rb\r\n\
        Grpc-Status: 9\r\nGrpc-Message: a\rb\0c\r\n\r\n";
    for kind in ["Unary", "BidiStream"] {
        application.next(&[ReadParams, Send([&stdout(fields)[..], &END].concat())]);
        let mut call = client.stream(kind, &[]);
        call.send(b"");
        call.half_close();
        assert_eq!(
            call.status().await,
            status(Code::FailedPrecondition, "a%0Db%00c"),
            "{kind}"
        );
        let headers = call.headers().await;
        assert_eq!(headers["x-good"], "yes");
        assert!(
            headers.keys().all(|name| !name.as_str().contains("cr")),
            "{headers:?}"
        );
        assert!(!headers.contains_key("x-nul"));
        check_recovery_of(&application, &proxy, &client).await;
    }
}
