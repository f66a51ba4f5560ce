//! REST at the ingress: every method by HTTP, and what its errors are.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::http::{assert_error, get, key, send, url, write};
use crate::pods::{self, curl_with, state, until};

#[test]
#[ignore = "needs pods, which script/test and script/test-cluster start"]
fn users_are_created_read_changed_and_deleted() {
    let user = write(
        "POST",
        "/v1/users",
        Some(&json!({"name": "User Four", "email": "four@example.org"})),
    );
    let path = format!("/v1/users/{}", user["id"].as_str().unwrap());
    assert_eq!(get(&path), user);
    assert!(
        get("/v1/users?pageSize=1000")["users"]
            .as_array()
            .unwrap()
            .contains(&user)
    );
    let page = get("/v1/users?page_size=1");
    assert_eq!(page["users"].as_array().unwrap().len(), 1);
    assert!(page["nextPageToken"].is_string(), "{page}");

    let changed = write("PUT", &path, Some(&json!({"name": "User 4"})));
    assert_eq!(changed, json!({"id": user["id"], "name": "User 4"}));
    assert_eq!(get(&path), changed);
    assert_eq!(write("DELETE", &path, None), changed);
    assert_error(&send("GET", &path, &[], None), 404, 5);
}

/// Creates an item with this many pieces.
fn new_item(quantity: i32) -> Value {
    let price = json!({"currencyCode": "EUR", "units": "12", "nanos": 500_000_000});
    let item = json!({"name": "a lamp", "quantity": quantity, "price": price});
    write("POST", "/v1/items", Some(&item))
}

fn path_of(item: &Value) -> String {
    format!("/v1/items/{}", item["id"].as_str().unwrap())
}

#[test]
#[ignore = "needs pods, which script/test and script/test-cluster start"]
fn items_are_created_read_and_changed() {
    let item = new_item(3);
    assert_eq!(item["price"]["units"], "12");
    assert_eq!(get(&path_of(&item)), item);
    assert!(
        get("/v1/items?pageSize=1000")["items"]
            .as_array()
            .unwrap()
            .contains(&item)
    );
    let (status, lines) = curl_with(
        &["--data-raw", &json!({"id": item["id"]}).to_string()],
        &url("/v1/items:lookup"),
    );
    assert_eq!(status, 200, "{lines}");
    let line: Value = serde_json::from_str(&lines).unwrap();
    assert_eq!(line, json!({"id": item["id"], "item": item}));

    let path = format!("{}?updateMask=quantity", path_of(&item));
    let changed = write(
        "PATCH",
        &path,
        Some(&json!({"name": "other", "quantity": 2})),
    );
    assert_eq!(
        (&changed["name"], &changed["quantity"]),
        (&item["name"], &json!(2))
    );
    assert_eq!(get(&path_of(&item)), changed);
    assert_eq!(curl_with(&["--head"], &url(&path_of(&item))).0, 200);
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn a_stream_that_watches_is_lines_of_json() {
    let item = new_item(1);
    let path = format!("/v1/items:watch?ids={}", item["id"].as_str().unwrap());
    // It goes on without an end.
    let (status, lines) = curl_with(&["--max-time", "5"], &url(&path));
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&lines).unwrap(), item);
}

#[test]
#[ignore = "needs pods, which script/test and script/test-cluster start"]
fn orders_are_created_read_changed_and_deleted() {
    let item = new_item(3);
    let order = json!({"user": "someone", "items": [item["id"], item["id"]]});
    let order = write("POST", "/v1/orders", Some(&order));
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    assert_eq!(get(&path), order);
    assert_eq!(get(&path_of(&item))["quantity"], 1);
    assert_eq!(get(&format!("{path}:detail"))["items"][1]["name"], "a lamp");
    assert_eq!(get("/v1/orders?user=someone")["orders"], json!([order]));
    let details = get("/v1/orders:details?user=someone");
    assert_eq!(details["details"][0]["id"], order["id"]);

    let one = json!({"user": "someone", "items": [item["id"]]});
    let changed = write("PUT", &path, Some(&one));
    assert_eq!(changed["items"], json!([item["id"]]));
    let many = json!({"user": "someone", "items": vec![&item["id"]; 4]});
    let refused = send("POST", "/v1/orders", &[&key()], Some(&many));
    assert_error(&refused, 400, 9);
    assert_eq!(refused.1["details"][0]["reason"], "OUT_OF_STOCK");
    assert_eq!(write("DELETE", &path, None), changed);
    assert_error(&send("GET", &path, &[], None), 404, 5);
    assert_eq!(get(&path_of(&item))["quantity"], 3);
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn a_wrong_request_is_refused_with_a_status_as_json() {
    let key = key();
    // A program's argument cannot be that long.
    let file = state("long.json");
    fs::write(&file, json!({"name": "a".repeat(300 << 10)}).to_string()).unwrap();
    let long = format!("@{}", file.display());
    let table: [(&[&str], &str, u16, u32); 10] = [
        (&[], "/v1/nothing", 404, 5),
        (
            &[
                "--request",
                "OPTIONS",
                "--header",
                "origin: http://other.example",
            ],
            "/v1/users",
            404,
            5,
        ),
        (
            &["--request", "POST", "--header", &key],
            "/v1/items:reserve",
            404,
            5,
        ),
        (
            &["--request", "POST", "--header", &key],
            "/v1/items:release",
            404,
            5,
        ),
        (
            &["--request", "POST", "--header", &key],
            "/v1/items%3Areserve",
            404,
            5,
        ),
        (&[], "/v1/users?nothing=1", 400, 3),
        (&[], "/v1/users?pageSize=x", 400, 3),
        (&["--header", &key, "--data-raw", "{"], "/v1/users", 400, 3),
        (
            &["--header", &key, "--data-raw", r#"{"nothing": 1}"#],
            "/v1/items",
            400,
            3,
        ),
        (&["--header", &key, "--data", &long], "/v1/users", 413, 8),
    ];
    for (options, path, status, code) in table {
        let (got, body) = curl_with(options, &url(path));
        let json = serde_json::from_str(&body)
            .unwrap_or_else(|error| panic!("{path}: {got}, {error}: {body}"));
        assert_error(&(got, json), status, code);
    }
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn no_response_lets_pages_of_others_call() {
    for path in ["/v1/users", "/v1/items", "/openapi.json", "/index"] {
        let options = ["--include", "--header", "origin: http://other.example"];
        let (_, head) = curl_with(&options, &url(path));
        assert!(
            !head.to_lowercase().contains("\naccess-control-"),
            "{path}: {head}"
        );
    }
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn without_a_program_the_error_names_the_app_and_no_address() {
    let apps: [(_, &[&str]); 2] = [("user", &["user-1"]), ("order", &["order-1", "order-2"])];
    for (app, pods) in apps {
        let path = &format!("/v1/{app}s");
        for pod in pods {
            pods::end(pod, app, Signal::SIGTERM);
        }
        let response = send("GET", path, &[], None);
        assert_error(&response, 503, 14);
        let message = response.1["message"].as_str().unwrap();
        assert!(
            message.contains(app) || message.starts_with("ingress: no_healthy"),
            "{message}"
        );
        assert!(
            !message.contains("127.0.0.1") && !message.contains("198."),
            "{message}"
        );
        for pod in pods {
            pods::start(pod, app);
        }
        until("the app answers again", || {
            send("GET", path, &[], None).0 == 200
        });
    }
}
