//! The log records of one request, from all programs.

use std::fs;

use serde_json::Value;

use crate::pods::{curl, index_url, state, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4733";
const REQUEST: &str = "7c4e6e7e-51f0-4a8b-8a0b-2f1d8f6c0a12";

/// A program's log records of that request, from all pods.
fn logged(program: &str) -> Vec<Value> {
    let pods = fs::read_dir(state("pods")).unwrap();
    let logs = pods.filter_map(|pod| {
        fs::read_to_string(pod.unwrap().path().join(format!("{program}.log"))).ok()
    });
    logs.flat_map(|log| log.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| serde_json::from_str(&line).ok())
        .filter(|record: &Value| record["request_id"] == REQUEST)
        .collect()
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn every_program_logs_a_request_with_the_same_fields() {
    let headers = [
        format!("x-request-id: {REQUEST}"),
        format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01"),
    ];
    let headers = headers.each_ref().map(String::as_str);
    assert_eq!(curl(&index_url(), &headers).0, 200);
    let programs = [
        ("envoy", "/index"),
        ("frontend", "/index"),
        ("user", "/user.UserService/ListUsers"),
        ("order", "/order.OrderService/ListOrderDetails"),
        ("grpc-fcgi-proxy", "/item.ItemService/"),
    ];
    for (program, path) in programs {
        let is_its_own = |record: &Value| {
            record["path"]
                .as_str()
                .is_some_and(|own| own.starts_with(path))
        };
        until(program, || logged(program).iter().any(is_its_own));
        for record in logged(program) {
            assert_eq!(record["trace_id"], TRACE, "{record}");
            for field in ["timestamp", "level", "target", "message", "path"] {
                assert!(record[field].is_string(), "{field} of {program}: {record}");
            }
            // A line of PHP's output has no duration.
            let is_line = record["target"] == "application";
            assert!(is_line || record["duration_ms"].is_number(), "{record}");
        }
    }
}
