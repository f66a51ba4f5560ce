//! Metrics in Prometheus and traces in Jaeger, with `script/run --observability`.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::callers;
use crate::dashboards::{self, checkout};
use crate::pods::{self, curl, curl_with, index_url, observer, report, until};

/// Those of the README, from the original application.
const QUERIES: [&str; 4] = [
    r#"histogram_quantile(0.95, sum(rate(envoy_upstream_rq_time_bucket{cluster!="local_service"}[5m])) by (le,app, cluster))"#,
    r#"sum(rate(envoy_upstream_rq_time_count{cluster!="local_service"}[5m])) by (app, cluster)"#,
    "sum(envoy_health_check_healthy) by (app,cluster)",
    "sum(envoy_upstream_cx_total) by (app,cluster)",
];

#[test]
fn the_readme_contains_the_four_queries() {
    let readme = fs::read_to_string(checkout("README.md")).unwrap();
    for query in QUERIES {
        assert!(readme.contains(&format!("`{query}`")), "{query}");
    }
}

/// The series that a query returns, under load: calls of every permitted caller.
pub(crate) fn ask(query: &str) -> Vec<Value> {
    report();
    for path in ["v1/users", "v1/orders", "v1/items"] {
        let url = index_url().replace("index", path);
        assert_eq!(curl(&url, &[]).0, 200, "{path}");
    }
    let url = format!("{}/api/v1/query", observer("prometheus"));
    let parameter = format!("query={query}");
    let (status, body) = curl_with(&["--get", "--data-urlencode", &parameter], &url);
    assert_eq!(status, 200, "{query}: {body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    answer["data"]["result"].as_array().unwrap().clone()
}

/// A quantile without observations is NaN.
pub(crate) fn has_number(series: &Value) -> bool {
    series["value"][1]
        .as_str()
        .is_some_and(|value| value != "NaN")
}

/// The caller and the callee.
fn edge(series: &Value) -> (String, String) {
    let label = |name: &str| series["metric"][name].as_str().unwrap().to_owned();
    (label("app"), label("cluster"))
}

#[test]
#[ignore = "needs pods with Prometheus, which script/test and script/test-cluster start"]
fn the_four_queries_return_data_for_every_permitted_caller() {
    let permitted = callers::permitted();
    for query in QUERIES {
        until(query, || {
            let answer = ask(query);
            permitted.iter().all(|(app, cluster)| {
                answer.iter().any(|series| {
                    let labels = &series["metric"];
                    labels["app"] == *app && labels["cluster"] == *cluster && has_number(series)
                })
            })
        });
    }
}

#[test]
#[ignore = "needs pods with Prometheus, which script/test and script/test-cluster start"]
fn probes_scrapes_and_spans_are_not_counted_as_calls() {
    let permitted: BTreeSet<_> = callers::permitted().into_iter().collect();
    for query in &QUERIES[..2] {
        let edges = || ask(query).iter().map(edge).collect::<BTreeSet<_>>();
        until(query, || edges().is_superset(&permitted));
        assert_eq!(edges(), permitted, "{query}");
    }
}

/// The HTTP status of a failed one is 200, so without these the map of the application shows no error of it.
#[test]
#[ignore = "needs pods with Prometheus, which script/test and script/test-cluster start"]
fn calls_by_grpc_are_counted_by_their_status() {
    let by_http = ["frontend", "item"].map(|callee| ("ingress".to_owned(), callee.to_owned()));
    let mut by_grpc: BTreeSet<_> = callers::permitted().into_iter().collect();
    by_grpc.retain(|edge| !by_http.contains(edge));
    let query = r#"sum by (app, cluster) (envoy_grpc_responses{code="0"})"#;
    let edges = || ask(query).iter().map(edge).collect::<BTreeSet<_>>();
    until(query, || edges().is_superset(&by_grpc));
    assert_eq!(edges(), by_grpc);
}

#[test]
#[ignore = "needs the pods of script/run --observability, which script/test starts"]
fn every_panel_of_every_dashboard_has_data() {
    let queries = dashboards::queries();
    assert!(queries.len() > 50, "{queries:?}");
    // Some panels show resident workers, others calls by themselves.
    pods::end("item-2", "grpc-fcgi-proxy", Signal::SIGTERM);
    pods::start_without("item-2", "grpc-fcgi-proxy", "--resident-");
    for (place, query) in queries {
        until(&format!("{place}: {query}"), || {
            ask(&query).iter().any(has_number)
        });
    }
}

#[test]
#[ignore = "needs the pods of script/run --observability, which script/test starts"]
fn every_rule_is_evaluated_and_no_alert_fires() {
    let url = format!("{}/api/v1/rules", observer("prometheus"));
    let rules = || -> Vec<Value> {
        let answer: Value = serde_json::from_str(&curl(&url, &[]).1).unwrap();
        let groups = answer["data"]["groups"].as_array().unwrap().clone();
        groups
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap().clone())
            .collect()
    };
    until("all rules are evaluated", || {
        rules().iter().all(|rule| rule["health"] != "unknown")
    });
    let rules = rules();
    assert!(rules.len() > 20, "{rules:?}");
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        assert_ne!(rule["state"], "firing", "{rule}");
    }
}

/// The apps whose Envoys sent spans of this trace.
fn apps_of(trace: &str) -> BTreeSet<String> {
    let url = format!("{}/api/traces/{trace}", observer("jaeger"));
    let answer: Value = serde_json::from_str(&curl(&url, &[]).1).unwrap();
    let processes = answer["data"][0]["processes"].as_object();
    processes
        .into_iter()
        .flat_map(|processes| processes.values())
        .map(|process| process["serviceName"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
#[ignore = "needs pods with Jaeger, which script/test and script/test-cluster start"]
fn one_request_is_one_trace_through_all_five_envoys() {
    let all = ["frontend", "ingress", "item", "order", "user"].map(str::to_owned);
    let traces = [
        (
            "4bf92f3577b34da6a3ce929d0e0e4731",
            "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4731-00f067aa0ba902b7-01",
        ),
        (
            "4bf92f3577b34da6a3ce929d0e0e4732",
            "b3: 4bf92f3577b34da6a3ce929d0e0e4732-00f067aa0ba902b7-1",
        ),
    ];
    for (trace, header) in traces {
        // The request id must not decide whether Envoy traces a request.
        let headers = [header, "x-request-id: not-a-uuid"];
        assert_eq!(curl(&index_url(), &headers).0, 200);
        until(header, || apps_of(trace).into_iter().eq(all.clone()));
    }
}

#[test]
#[ignore = "needs the pods of script/run --observability, which script/test starts"]
fn the_ingress_begins_a_trace_for_a_request_without_one() {
    let spans = || {
        let url = format!(
            "{}/api/traces?service=ingress&limit=1000",
            observer("jaeger")
        );
        let answer: Value = serde_json::from_str(&curl(&url, &[]).1).unwrap();
        answer["data"].as_array().unwrap().len()
    };
    report();
    until("the ingress begins traces", || spans() > 0);
}
