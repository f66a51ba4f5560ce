//! The keys of clients that write, and their limits.

use std::cell::RefCell;
use std::fs::{self, File};
use std::os::unix::fs::{chown, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::http::{assert_error, get, header, secret, send, url, write};
use crate::pods::{POD_USER, curl_with, state, until};

/// Each operation in the document: its method, its path, and whether it needs a key.
fn operations() -> Vec<(String, String, bool)> {
    let document = get("/openapi.json");
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let path = path
                .replace("{id}", "nobody")
                .replace("{item.id}", "nobody");
            let secured = operation.get("security").is_some();
            operations.push((method.to_uppercase(), path, secured));
        }
    }
    operations
}

#[test]
#[ignore = "needs pods, which script/test and script/test-cluster start"]
fn every_operation_of_the_document_is_served_and_needs_a_key_where_it_says_so() {
    let operations = operations();
    assert_eq!(operations.len(), 18, "{operations:?}");
    for (method, path, secured) in operations {
        assert!(secured || method != "DELETE" && method != "PUT" && method != "PATCH");
        // It never ends.
        if path == "/v1/items:watch" {
            assert!(!secured);
            continue;
        }
        let (status, body) = curl_with(&["--request", &method], &url(&path));
        assert_eq!(status == 401, secured, "{method} {path}: {status}: {body}");
        assert!(
            !body.contains("ingress: no such method"),
            "{method} {path}: {body}"
        );
    }
}

#[test]
#[ignore = "needs pods, which script/test and script/test-cluster start"]
fn a_key_that_is_missing_wrong_or_elsewhere_is_401_and_changes_nothing() {
    let before = get("/v1/users?pageSize=1000");
    let (secret, body) = (secret(), json!({"name": "nobody"}));
    let wrong = header(&secret.replace(&secret[..1], "x"));
    let (bearer, basic) = (
        format!("authorization: Bearer {secret}"),
        format!("authorization: {secret}"),
    );
    let cookie = format!("cookie: x-api-key={secret}");
    let headers = [
        "x-api-key:",
        &wrong,
        &bearer,
        &basic,
        &cookie,
        "x-key-name: first",
    ];
    for header in headers {
        let response = send("POST", "/v1/users", &[header], Some(&body));
        assert_error(&response, 401, 16);
    }
    // A client that claims to be one of gRPC is refused as gRPC has it: in a header field of a response that is 200.
    let grpc = ["--include", "--header", "content-type: application/grpc"];
    let body_text = body.to_string();
    let options = [&grpc[..], &["--data-raw", &body_text]].concat();
    let (_, response) = curl_with(&options, &url("/v1/users"));
    assert!(response.contains("grpc-status: 16"), "{response}");
    for query in ["x-api-key", "api_key", "key"] {
        let path = format!("/v1/users?{query}={secret}");
        assert_error(&send("POST", &path, &[], Some(&body)), 401, 16);
    }
    assert_eq!(get("/v1/users?pageSize=1000"), before);
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn the_key_reaches_no_app_and_no_log() {
    let secret = secret();
    let user = write("POST", "/v1/users", Some(&json!({"name": "User Four"})));
    let path = format!("/v1/users/{}", user["id"].as_str().unwrap());
    let read = send(
        "GET",
        "/v1/items",
        &[&header(&secret), &format!("authorization: {secret}")],
        None,
    );
    assert_eq!(read.0, 200);
    let misplaced = format!("/v1/users?x-api-key={secret}");
    assert_error(&send("POST", &misplaced, &[], None), 401, 16);
    write("DELETE", &path, None);
    let ingress = || fs::read_to_string(state("pods/ingress-1/envoy.log")).unwrap();
    // Envoy writes its log when a buffer is full, or after a second.
    until("the requests are in the log", || {
        let log = ingress();
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines.into_iter().any(|line: Value| {
            line["method"] == "DELETE" && line["path"] == *path && line["key"] == "first"
        })
    });
    for pod in fs::read_dir(state("pods")).unwrap() {
        for file in fs::read_dir(pod.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|name| name == "log") {
                let log = fs::read(&path).unwrap();
                assert!(!String::from_utf8_lossy(&log).contains(&secret), "{path:?}");
            }
        }
    }
}

/// Replaces the keys of the ingress as the kubelet replaces a Secret's files: by a rename of `..data`.
fn mount(keys: &[(&str, &str)], version: &str) {
    let mount = state("pods/ingress-1/etc/keys");
    let mut text = fs::read_to_string(mount.join("keys.yaml")).unwrap();
    text.truncate(text.find("    - {").unwrap());
    for (name, key) in keys {
        text.push_str(&format!("    - {{client: {name}, key: \"{key}\"}}\n"));
    }
    let folder = mount.join(version);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("keys.yaml"), text).unwrap();
    chown(folder.join("keys.yaml"), Some(POD_USER), None).unwrap();
    symlink(version, mount.join("..data.new")).unwrap();
    fs::rename(mount.join("..data.new"), mount.join("..data")).unwrap();
}

/// The status of a write that changes nothing.
fn try_key(key: &str) -> u16 {
    send("DELETE", "/v1/users/nobody", &[&header(key)], None).0
}

/// Sends writes without end, several at once, until it is dropped.
struct Flood {
    curl: Child,
    statuses: PathBuf,
}

impl Flood {
    fn start(header: &str) -> Self {
        let statuses = state("flood");
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--noproxy",
            "*",
            "--parallel",
            "--parallel-max",
            "50",
        ]);
        curl.args([
            "--request",
            "DELETE",
            "--header",
            header,
            "--output",
            "/dev/null",
        ]);
        curl.args([
            "--write-out",
            "%{http_code}\n",
            &url("/v1/users/nobody#[1-100000000]"),
        ]);
        let output = File::create(&statuses).unwrap();
        let curl = curl.stdout(output).stderr(Stdio::null()).spawn().unwrap();
        Self { curl, statuses }
    }

    /// How many requests have ended with this status.
    fn count(&self, status: &str) -> usize {
        let text = fs::read_to_string(&self.statuses).unwrap();
        text.lines().filter(|line| *line == status).count()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        let _ = self.curl.kill();
        let _ = self.curl.wait();
    }
}

/// Sends writes with a key, and reads, until the flood has this many responses more.
fn assert_others_are_served(flood: &Flood, status: &str, key: &str) {
    let enough = flood.count(status) + 1000;
    until("the flood goes on", || {
        assert_eq!(try_key(key), 404);
        assert_eq!(send("GET", "/v1/users", &[], None).0, 200);
        flood.count(status) > enough
    });
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn a_flood_without_a_key_costs_others_nothing() {
    let key = secret();
    let flood = Flood::start("x-api-key: wrong");
    assert_others_are_served(&flood, "401", &key);
    assert_eq!(flood.count("404"), 0);
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn keys_change_without_a_restart_and_a_flood_with_one_costs_the_others_nothing() {
    let (first, other) = (secret(), "1".repeat(64));
    assert_eq!((try_key(&first), try_key(&other)), (404, 401));
    mount(&[("first", &first), ("other", &other)], "..two");
    until("the other key is valid, too", || try_key(&other) == 404);
    assert_eq!(try_key(&first), 404);

    let flood = Flood::start(&header(&other));
    let response = RefCell::default();
    until("the flood is limited", || {
        let limited = header(&other);
        let options = ["--include", "--request", "DELETE", "--header", &limited];
        let (status, text) = curl_with(&options, &url("/v1/users/nobody"));
        response.replace(text);
        status == 429
    });
    let response = response.into_inner();
    assert!(response.contains("retry-after: 1\r\n"), "{response}");
    assert!(response.contains(r#"{"code":8,"message":"#), "{response}");
    assert_others_are_served(&flood, "429", &first);
    drop(flood);

    mount(&[("other", &other)], "..one");
    until("the first key is no longer valid", || {
        try_key(&first) == 401
    });
    mount(&[("first", &first)], "..again");
    until("the first key is valid again", || try_key(&first) == 404);
    assert_eq!(try_key(&other), 401);
}
