//! What only Kubernetes has: NetworkPolicies, rollouts, evictions, autoscalers. In the cluster of `script/test-cluster`.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::load::{Outcome, under_load};
use crate::observability::{ask, has_number};
use crate::pods::{address, curl, index_url, inside, report, until};
use crate::{callers, dashboards};

/// Those that are called first.
const APPS: [&str; 5] = ["item", "order", "user", "frontend", "ingress"];
const OBSERVERS: [&str; 3] = ["prometheus", "jaeger", "grafana"];
/// A pod that no policy selects.
const STRANGER: &str = "stranger";

/// What kubectl prints, which must succeed.
fn kubectl(arguments: &[&str]) -> String {
    let (succeeds, output, error) = kubectl_with(arguments, Stdio::null());
    assert!(succeeds, "kubectl {arguments:?}: {error}");
    output
}

fn kubectl_with(arguments: &[&str], input: Stdio) -> (bool, String, String) {
    let output = Command::new("kubectl")
        .args(arguments)
        .stdin(input)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn objects(arguments: &[&str]) -> Vec<Value> {
    let text = kubectl(&[&["get", "--output", "json"], arguments].concat());
    let list: Value = serde_json::from_str(&text).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// The names of the app's pods that do not end.
fn pods_of(app: &str) -> Vec<String> {
    let pods = objects(&["pods", "--selector", &format!("app={app}")]);
    pods.iter()
        .map(|pod| &pod["metadata"])
        .filter(|pod| pod["deletionTimestamp"].is_null())
        .map(|pod| pod["name"].as_str().unwrap().to_owned())
        .collect()
}

fn wait_ready(app: &str) {
    for pod in pods_of(app) {
        let pod = format!("pod/{pod}");
        kubectl(&["wait", "--for", "condition=Ready", "--timeout", "90s", &pod]);
    }
}

/// The ports on which the pods of an app listen for others.
fn ports(app: &str) -> &'static [u16] {
    match app {
        "postgresql" => &[5432],
        "prometheus" => &[9090],
        "jaeger" => &[9411, 13133, 16686],
        "grafana" => &[3000],
        STRANGER => &[],
        _ => &[6060, 8080, 9102],
    }
}

/// Whether the policies should allow a connection.
fn should_connect(from: &str, to: &str, port: u16) -> bool {
    let is_app = |name| APPS.contains(&name);
    let is_call = || {
        let call = (from.to_owned(), to.to_owned());
        callers::permitted().contains(&call)
    };
    match (to, port) {
        ("ingress", 8080) | ("prometheus", 9090) | ("jaeger", 16686) | ("grafana", 3000) => {
            let observes = from == "grafana" && OBSERVERS.contains(&to);
            from == STRANGER || observes || (from == "frontend" && to == "prometheus")
        }
        ("postgresql", 5432) => ["user", "order", "item"].contains(&from),
        ("jaeger", 9411) => is_app(from),
        (_, 6060 | 9102) => from == "prometheus",
        (_, 8080) => is_call(),
        _ => false,
    }
}

/// The ports of these addresses that accept a connection.
async fn accepting(targets: Vec<(String, SocketAddr)>) -> Vec<(String, u16)> {
    let connect = |(app, address): (String, SocketAddr)| {
        tokio::spawn(async move {
            let connected = timeout(Duration::from_secs(3), TcpStream::connect(address)).await;
            matches!(connected, Ok(Ok(_))).then_some((app, address.port()))
        })
    };
    let mut accepting = Vec::new();
    for connection in targets.into_iter().map(connect).collect::<Vec<_>>() {
        accepting.extend(connection.await.unwrap());
    }
    accepting
}

#[test]
#[ignore = "needs the cluster of script/test-cluster"]
fn network_policies_allow_what_is_needed_and_nothing_else() {
    let pods = [&APPS[..], &OBSERVERS, &["postgresql", STRANGER]].concat();
    let (mut pairs, mut wrong) = (0, Vec::new());
    for from in &pods {
        let others = pods.iter().filter(|to| *to != from);
        let targets: Vec<_> = others
            .flat_map(|to| ports(to).iter().map(move |port| (*to, *port)))
            .collect();
        let addresses = targets.iter().map(|(to, port)| {
            let ip = address(&format!("{to}-1")).parse().unwrap();
            ((*to).to_owned(), SocketAddr::new(ip, *port))
        });
        let addresses = addresses.collect();
        let accepting = inside(&format!("{from}-1"), || accepting(addresses));
        for (to, port) in targets {
            pairs += 1;
            let connects = accepting.contains(&(to.to_owned(), port));
            if connects != should_connect(from, to, port) {
                wrong.push(format!("{from} connects to {to}:{port}: {connects}"));
            }
        }
    }
    assert!(wrong.is_empty(), "of {pairs} pairs: {wrong:#?}");
    assert_eq!(pairs, 189);
}

fn assert_nothing_lost(outcome: &Outcome) {
    let all = outcome.correct + outcome.failed.len();
    let failed: Vec<_> = outcome.failed.iter().take(5).collect();
    assert!(
        outcome.failed.is_empty(),
        "{} of {all} requests failed: {failed:?}",
        outcome.failed.len()
    );
    assert!(outcome.correct > 20, "the load was too low: {outcome:?}");
}

#[test]
#[ignore = "needs the cluster of script/test-cluster"]
fn a_rollout_of_all_apps_loses_no_request() {
    let deployments = APPS.map(|app| format!("deployment/{app}"));
    let deployments = deployments.each_ref().map(String::as_str);
    let old = APPS.iter().flat_map(|app| pods_of(app));
    let old: Vec<_> = old.map(|pod| format!("pod/{pod}")).collect();
    let outcome = under_load(&report(), || {
        kubectl(&[&["rollout", "restart"], &deployments[..]].concat());
        for deployment in deployments {
            kubectl(&["rollout", "status", "--timeout", "180s", deployment]);
        }
        for pod in &old {
            kubectl(&["wait", "--for", "delete", "--timeout", "240s", pod]);
        }
        // Calls to a pod that has ended would fail now.
        thread::sleep(Duration::from_secs(10));
    });
    assert_nothing_lost(&outcome);
}

#[test]
#[ignore = "needs the cluster of script/test-cluster"]
fn deleting_the_pods_of_each_app_loses_no_request() {
    let mut deleted = Vec::new();
    let outcome = under_load(&report(), || {
        for app in APPS {
            for pod in pods_of(app) {
                kubectl(&["delete", "pod", &pod, "--wait=false"]);
                deleted.push(format!("pod/{pod}"));
            }
            wait_ready(app);
        }
        // They serve until their successors are known.
        for pod in &deleted {
            kubectl(&["wait", "--for", "delete", "--timeout", "240s", pod]);
        }
        // Calls to a pod that has ended would fail now.
        thread::sleep(Duration::from_secs(10));
    });
    assert_eq!(deleted.len(), APPS.len());
    assert_nothing_lost(&outcome);
}

#[test]
#[ignore = "needs the cluster of script/test-cluster"]
fn every_panel_has_data_but_those_of_calls_by_themselves() {
    // All calls of item run in resident workers there.
    let is_empty =
        |query: &str| query.contains("fcgi_exchange_seconds") || query.contains("exchanges_failed");
    let mut queries = dashboards::queries();
    queries.retain(|(_, query)| !is_empty(query));
    assert!(queries.len() > 50, "{queries:?}");
    for (place, query) in queries {
        until(&format!("{place}: {query}"), || {
            ask(&query).iter().any(has_number)
        });
    }
}

/// It breaks the connections that the programs keep: those of resident workers, too.
#[test]
#[ignore = "needs the cluster of script/test-cluster"]
fn a_crash_of_the_database_is_over_when_it_is_back() {
    let expected = report();
    // As after a crash: its server ends all connections, and begins anew.
    let crash =
        r#"kill -QUIT "$(grep -l "^postgres: checkpointer" /proc/[0-9]*/cmdline | cut -d/ -f3)""#;
    kubectl(&["exec", "postgresql-0", "--", "bash", "-euc", crash]);
    until("the report is back", || curl(&index_url(), &[]).0 == 200);
    let outcome = under_load(&expected, || thread::sleep(Duration::from_secs(5)));
    assert_nothing_lost(&outcome);
}

/// Evicts a pod, as `kubectl drain` does. False if a budget forbids it.
fn evict(pod: &str) -> bool {
    let namespace = kubectl(&[
        "config",
        "view",
        "--minify",
        "--output",
        "jsonpath={..namespace}",
    ]);
    let eviction = format!(
        r#"{{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {{"name": "{pod}"}}}}"#
    );
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/eviction");
    let mut echo = Command::new("echo")
        .arg(eviction)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = echo.stdout.take().unwrap();
    let arguments = ["create", "--raw", &path, "--filename", "-"];
    let (succeeds, _, error) = kubectl_with(&arguments, input.into());
    assert!(echo.wait().unwrap().success());
    assert!(succeeds || error.contains("disruption budget"), "{error}");
    succeeds
}

#[test]
#[ignore = "needs the overlay production in the cluster of script/test-cluster"]
fn of_two_pods_one_can_be_evicted_at_a_time() {
    for app in APPS {
        let pods = pods_of(app);
        assert_eq!(pods.len(), 2, "{app}: {pods:?}");
        let evicted: Vec<_> = pods.iter().map(|pod| evict(pod)).collect();
        assert_eq!(evicted, [true, false], "{app}");
    }
    for app in APPS {
        wait_ready(app);
    }
}

#[test]
#[ignore = "needs the overlay production in the cluster of script/test-cluster"]
fn autoscalers_measure_every_app_and_start_pods() {
    let scalers = || objects(&["horizontalpodautoscalers"]);
    let is_active = |scaler: &Value| {
        let conditions = scaler["status"]["conditions"].as_array();
        conditions.is_some_and(|conditions| {
            conditions
                .iter()
                .any(|it| it["type"] == "ScalingActive" && it["status"] == "True")
        })
    };
    until("all autoscalers are active", || {
        let scalers = scalers();
        scalers.len() == APPS.len() && scalers.iter().all(is_active)
    });
    let busy = r#"[{"op": "replace", "path": "/spec/metrics/0/containerResource/target/averageValue", "value": "1m"},
        {"op": "replace", "path": "/spec/maxReplicas", "value": 3}]"#;
    kubectl(&["patch", "hpa", "item", "--type", "json", "--patch", busy]);
    until("a third pod of item", || {
        report();
        pods_of("item").len() == 3
    });
}
