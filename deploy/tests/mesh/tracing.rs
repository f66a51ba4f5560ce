//! Trace headers reach PHP.

use std::fs;

use crate::pods::{curl, index_url, state, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// PHP's log records of the calls of this trace.
fn logged_by_php() -> String {
    ["item-1", "item-2"]
        .iter()
        .flat_map(|pod| {
            let log =
                fs::read_to_string(state(&format!("pods/{pod}/grpc-fcgi-proxy.log"))).unwrap();
            log.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|line| line.contains(r#""target":"application""#) && line.contains(TRACE))
        .collect()
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn the_trace_of_a_request_reaches_php() {
    let headers = [
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate: vendor=value",
        "x-b3-traceid: 4bf92f3577b34da6a3ce929d0e0e4736",
        "x-b3-spanid: 00f067aa0ba902b7",
        "x-b3-parentspanid: 1111111111111111",
        "x-b3-sampled: 1",
        "x-b3-flags: 1",
        "b3: 4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "x-ot-span-context: opaque-context",
        "baggage: tenant=shop",
        "x-request-id: 7c4e6e7e-51f0-4a8b-8a0b-2f1d8f6c0a11",
    ];
    assert_eq!(curl(&index_url(), &headers).0, 200);
    until("PHP logs the trace", || !logged_by_php().is_empty());
    let log = logged_by_php();
    for kept in [
        "vendor=value",
        "opaque-context",
        "tenant=shop",
        "7c4e6e7e-51f0-4a8b-8a0b-2f1d8f6c0a11",
    ] {
        assert!(log.contains(kept), "{kept} is not in {log}");
    }
    // The spans in between are Envoy's: the client's own span is not the parent of PHP's.
    for begin in [r#"traceparent\":\"00-"#, r#""b3\":\""#] {
        assert!(log.contains(&format!("{begin}{TRACE}-")), "{log}");
    }
    assert!(!log.contains(&format!("{TRACE}-00f067aa0ba902b7")), "{log}");
}
