//! The program against a stand-in for the shop that has the faults which a test of the whole application cannot cause at will.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::collections::BTreeMap;
use std::fs;
use std::process::{Output, Stdio};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::Command,
    time::{sleep, timeout},
};

const KEY: &str = "0123456789abcdef";
/// How long a condition is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the stand-in answers orders, and how many answers its watchers get.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    OutOfStock,
    Limited,
    Unavailable,
    Wrong,
    Stalled,
    /// The third user is created, and its client does not learn of it. Then every other answer of a list or a deletion is 503.
    Started,
}

#[derive(Debug)]
struct Shop {
    fault: Fault,
    /// By id, the name or the user.
    records: Mutex<BTreeMap<String, (Kind, String)>>,
    attempts: AtomicUsize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    User,
    Order,
}

type Shared = State<Arc<Shop>>;

impl Shop {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault,
            records: Mutex::default(),
            attempts: AtomicUsize::new(0),
        })
    }

    /// Whether this attempt fails, which the next one does not.
    fn is_away(&self) -> bool {
        matches!(self.fault, Fault::Started)
            && self
                .attempts
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(2)
    }

    fn create(&self, kind: Kind, owner: &str) -> Value {
        let mut records = self.records.lock().unwrap();
        let id = format!("{kind:?}-{}", fastrand::u64(..));
        records.insert(id.clone(), (kind, owner.to_owned()));
        json!({"id": id, "name": owner, "user": owner})
    }

    fn list(&self, kind: Kind, owner: Option<&String>) -> Vec<Value> {
        let records = self.records.lock().unwrap();
        let of_kind = records.iter().filter(|(_, record)| record.0 == kind);
        of_kind
            .filter(|(_, record)| owner.is_none_or(|owner| *owner == record.1))
            .map(|(id, record)| json!({"id": id, "name": record.1, "user": record.1}))
            .collect()
    }

    fn page(&self, field: &str, kind: Kind, owner: Option<&String>) -> Response {
        if self.is_away() {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Json(json!({field: self.list(kind, owner)})).into_response()
    }

    fn delete(&self, id: &str) -> Response {
        if self.is_away() {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        match self.records.lock().unwrap().remove(id) {
            Some(_) => Json(json!({"id": id})).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

async fn place(State(shop): Shared, headers: HeaderMap, Json(order): Json<Value>) -> Response {
    if headers.get("x-api-key").is_none_or(|key| key != KEY) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let status = |status: StatusCode| status.into_response();
    match shop.fault {
        Fault::None | Fault::Started => {
            Json(shop.create(Kind::Order, order["user"].as_str().unwrap())).into_response()
        }
        Fault::OutOfStock => {
            let reason = json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "OUT_OF_STOCK"});
            let error = json!({"code": 9, "message": "out of stock", "details": [reason]});
            (StatusCode::BAD_REQUEST, Json(error)).into_response()
        }
        Fault::Limited => status(StatusCode::TOO_MANY_REQUESTS),
        Fault::Unavailable => status(StatusCode::SERVICE_UNAVAILABLE),
        Fault::Wrong => "an order".into_response(),
        Fault::Stalled => {
            // The order exists, but its client does not learn of it.
            shop.create(Kind::Order, order["user"].as_str().unwrap());
            std::future::pending().await
        }
    }
}

/// Each stream ends with its call after two events.
async fn watch() -> impl IntoResponse {
    let item = || Ok::<_, axum::Error>(Event::default().data(r#"{"id":"bolt","quantity":3}"#));
    let status = Event::default().event("status").data(r#"{"code":14}"#);
    let events = stream::iter([item(), item(), Ok(status)]).chain(stream::pending());
    Sse::new(events).keep_alive(KeepAlive::default())
}

fn router(shop: Arc<Shop>) -> Router {
    let items = || async { Json(json!({"items": [{"id": "bolt"}]})) };
    let item = || async { Json(json!({"id": "bolt"})) };
    let report = || async { Json(json!({"entries": [], "next_page_token": ""})) };
    let users = async |State(shop): Shared| shop.page("users", Kind::User, None);
    let create = async |State(shop): Shared, Json(user): Json<Value>| {
        let user = shop.create(Kind::User, user["name"].as_str().unwrap());
        if matches!(shop.fault, Fault::Started) && shop.list(Kind::User, None).len() == 3 {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Json(user).into_response()
    };
    let orders = async |State(shop): Shared, Query(query): Query<BTreeMap<String, String>>| {
        shop.page("orders", Kind::Order, query.get("user"))
    };
    let read = async |Path(id): Path<String>| Json(json!({"id": id.trim_end_matches(":detail")}));
    let delete = async |State(shop): Shared, Path(id): Path<String>| shop.delete(&id);
    Router::new()
        .route("/index", get(report))
        .route("/v1/items", get(items))
        .route("/v1/items/{id}", get(item))
        .route("/v1/items:watch", get(watch))
        .route("/v1/users", get(users).post(create))
        .route("/v1/users/{id}", axum::routing::delete(delete))
        .route("/v1/orders", get(orders).post(place))
        .route("/v1/orders/{id}", get(read).delete(delete))
        .with_state(shop)
}

/// What the program wrote, and what it left in the shop.
struct Run {
    output: Output,
    summary: Value,
    left: usize,
}

/// A stand-in with this fault, and the program, which is to load it.
async fn start(fault: Fault) -> (Arc<Shop>, Command) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let shop = Shop::new(fault);
    let serve = axum::serve(listener, router(shop.clone()));
    tokio::spawn(async move { serve.await.unwrap() });
    let mut load = Command::new(env!("CARGO_BIN_EXE_load"));
    load.env_clear()
        .env("LOAD_KEY", KEY)
        .args(["--url", &url])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    (shop, load)
}

/// Runs the program against a stand-in with this fault.
async fn run(fault: Fault, flags: &[&str]) -> Run {
    let (shop, mut load) = start(fault).await;
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("summary.json");
    load.args(["--duration", "2s", "--rate", "100"]);
    let output = load
        .arg("--json")
        .arg(&json)
        .args(flags)
        .output()
        .await
        .unwrap();
    let text = fs::read_to_string(&json)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let left = shop.records.lock().unwrap().len();
    let summary = serde_json::from_str(&text).unwrap();
    Run {
        output,
        summary,
        left,
    }
}

impl Run {
    fn order(&self, field: &str) -> u64 {
        self.summary["operations"]["place order"][field]
            .as_u64()
            .unwrap()
    }

    fn failures(&self, kind: &str) -> u64 {
        self.summary["all"]["failures"][kind]
            .as_u64()
            .unwrap_or_default()
    }
}

#[tokio::test]
async fn a_shop_without_faults_passes_and_is_left_as_it_was() {
    let run = run(Fault::None, &["--watchers", "3"]).await;
    let log = String::from_utf8_lossy(&run.output.stderr);
    assert_eq!(run.output.status.code(), Some(0), "{log}");
    assert_eq!(run.summary["all"]["count"], 200, "{log}");
    assert_eq!(run.summary["all"]["failed"], 0, "{log}");
    assert!(run.order("ok") > 0, "{log}");
    // Each watcher connects again when its stream has ended.
    let watchers = &run.summary["watchers"];
    assert!(watchers["events"].as_u64().unwrap() >= 12, "{watchers}");
    assert!(
        watchers["longestGap"].as_f64().unwrap() >= 1000.0,
        "{watchers}"
    );
    assert_eq!(run.left, 0);
    assert!(!log.contains(KEY));
}

#[tokio::test]
async fn answers_that_protect_the_shop_are_no_failures() {
    for (fault, field) in [
        (Fault::OutOfStock, "outOfStock"),
        (Fault::Limited, "limited"),
    ] {
        let run = run(fault, &[]).await;
        assert_eq!(run.output.status.code(), Some(0), "{fault:?}");
        assert_eq!(run.order(field), run.order("count"), "{fault:?}");
    }
}

#[tokio::test]
async fn failures_are_counted_by_kind_and_fail_the_load() {
    for (fault, kind) in [
        (Fault::Unavailable, "status 503"),
        (Fault::Wrong, "wrong response"),
    ] {
        let run = run(fault, &[]).await;
        assert_eq!(run.output.status.code(), Some(1), "{fault:?}");
        assert!(run.order("failed") > 0, "{fault:?}");
        assert_eq!(run.failures(kind), run.order("failed"), "{fault:?}");
    }
}

#[tokio::test]
async fn failures_within_the_allowed_part_pass() {
    let run = run(Fault::Unavailable, &["--max-failed", "100"]).await;
    assert_eq!(run.output.status.code(), Some(0));
}

#[tokio::test]
async fn orders_that_were_never_answered_time_out_and_are_removed() {
    let run = run(Fault::Stalled, &["--timeout", "1s"]).await;
    assert_eq!(run.output.status.code(), Some(1));
    assert!(run.failures("timed out") > 0);
    let longest = run.summary["operations"]["place order"]["max"]
        .as_f64()
        .unwrap();
    assert!(longest >= 1000.0, "{longest}");
    assert_eq!(run.left, 0);
}

#[tokio::test]
async fn arrivals_do_not_wait_for_answers_and_what_exceeds_the_bound_is_dropped() {
    let run = run(Fault::Stalled, &["--timeout", "1s", "--max-in-flight", "2"]).await;
    assert_eq!(run.summary["all"]["count"], 200);
    assert!(run.failures("dropped") > 0, "{}", run.summary);
}

#[tokio::test]
async fn a_signal_ends_the_load_with_a_summary_and_without_leftovers() {
    let (shop, mut load) = start(Fault::None).await;
    let load = load.stderr(Stdio::piped()).spawn().unwrap();
    let placed = async {
        while shop.list(Kind::Order, None).is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, placed).await.expect("no order is placed");
    let pid = load.id().unwrap().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status().await;
    assert!(kill.unwrap().success());
    let output = load.wait_with_output().await.unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(log.contains("place order"), "{log}");
    assert!(shop.records.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_load_that_does_not_start_removes_its_users_from_a_shop_that_is_away_for_a_while() {
    let (shop, mut load) = start(Fault::Started).await;
    let output = load.output().await.unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{log}");
    assert!(
        log.contains("does not answer POST /v1/users: status 503"),
        "{log}"
    );
    assert!(log.contains("removed 3 users and orders"), "{log}");
    assert!(shop.records.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_shop_that_is_not_there_is_named() {
    let mut load = Command::new(env!("CARGO_BIN_EXE_load"));
    // Nothing listens on the port of discard.
    let output = load
        .env_clear()
        .args(["--url", "http://127.0.0.1:9"])
        .output()
        .await;
    let output = output.unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{log}");
    assert!(
        log.contains("http://127.0.0.1:9/ does not answer GET /v1/items: not connected"),
        "{log}"
    );
}
