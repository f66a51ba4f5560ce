//! The report: its content, and its errors.

use axum::body::Body;
use chassis::testing::{free_port, get, http, only_trace_headers, trace_headers};
use grpc_wire::timeout;
use http::Request;
use proto::{item::Item, order::GetOrderDetailResponse, user::User};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::support::{Fixture, Scenario, start};

fn user(id: &str, email: &str) -> User {
    User {
        id: id.to_owned(),
        name: format!("User {id}"),
        address: "6th Ave".to_owned(),
        email: email.to_owned(),
    }
}

fn order(id: &str, user: &str, items: &[&str], missing: &[&str]) -> GetOrderDetailResponse {
    let item = |&id: &&str| Item {
        id: id.to_owned(),
        name: format!("item {id}"),
        description: "for sale".to_owned(),
        ..Item::default()
    };
    GetOrderDetailResponse {
        id: id.to_owned(),
        user: user.to_owned(),
        items: items.iter().map(item).collect(),
        missing_items: missing.iter().map(|&id| id.to_owned()).collect(),
    }
}

fn scenario() -> Scenario {
    Scenario {
        users: vec![user("1", ""), user("2", "two@example.com")],
        details: vec![
            order("a", "2", &["x"], &["y"]),
            order("b", "1", &["x", "x"], &[]),
            order("c", "2", &[], &[]),
        ],
        ..Scenario::default()
    }
}

const REPORT: &str = r#"[
  {
    "user": {
      "id": "1",
      "name": "User 1",
      "address": "6th Ave"
    },
    "orders": [
      {
        "id": "b",
        "user": "1",
        "items": [
          {
            "id": "x",
            "name": "item x",
            "description": "for sale"
          },
          {
            "id": "x",
            "name": "item x",
            "description": "for sale"
          }
        ]
      }
    ]
  },
  {
    "user": {
      "id": "2",
      "name": "User 2",
      "address": "6th Ave",
      "email": "two@example.com"
    },
    "orders": [
      {
        "id": "a",
        "user": "2",
        "items": [
          {
            "id": "x",
            "name": "item x",
            "description": "for sale"
          }
        ],
        "missing_items": [
          "y"
        ]
      },
      {
        "id": "c",
        "user": "2",
        "items": []
      }
    ]
  }
]
"#;

#[tokio::test]
async fn the_report_is_indented_json_in_a_stable_order() {
    for page in [0, 1, 2] {
        let fixture = Fixture::new(Scenario { page, ..scenario() }, &[]).await;
        for path in ["/", "/index"] {
            let response = get(fixture.service.address, path).await;
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(response.body(), REPORT, "{path} with pages of {page}");
        }
        fixture.stop().await;
    }
}

#[tokio::test]
async fn the_report_without_users_is_an_empty_list() {
    let fixture = Fixture::new(Scenario::default(), &[]).await;
    assert_eq!(get(fixture.service.address, "/").await.body(), "[]\n");
    fixture.stop().await;
}

#[tokio::test]
async fn an_order_without_its_user_is_omitted() {
    let mut scenario = scenario();
    scenario.details.push(order("e", "nobody", &[], &[]));
    let fixture = Fixture::new(scenario, &[]).await;
    assert_eq!(get(fixture.service.address, "/").await.body(), REPORT);
    fixture.stop().await;
}

#[tokio::test]
async fn users_and_orders_are_fetched_concurrently() {
    let scenario = Scenario {
        together: true,
        ..scenario()
    };
    let fixture = Fixture::new(scenario, &[]).await;
    assert_eq!(get(fixture.service.address, "/").await.body(), REPORT);
    fixture.stop().await;
}

#[tokio::test]
async fn a_page_of_many_orders_needs_one_call() {
    let mut scenario = scenario();
    scenario.details = vec![order("a", "2", &["x"], &[]); 100];
    let fixture = Fixture::new(scenario, &[]).await;
    assert_eq!(get(fixture.service.address, "/").await.status(), 200);
    let calls = fixture.fakes.calls.take().into_iter();
    let mut methods: Vec<_> = calls.map(|(method, _)| method).collect();
    methods.sort_unstable();
    assert_eq!(methods, ["ListOrderDetails", "ListUsers"]);
    fixture.stop().await;
}

async fn error(scenario: Scenario, more: &[&str]) -> (u16, Value) {
    let fixture = Fixture::new(scenario, more).await;
    let response = get(fixture.service.address, "/index").await;
    fixture.stop().await;
    let error = serde_json::from_str(response.body()).unwrap();
    (response.status().as_u16(), error)
}

#[tokio::test]
async fn a_failing_peer_is_named_in_place_of_a_partial_report() {
    let full = || Some(Status::resource_exhausted("no worker"));
    let lists_users = Scenario {
        list_users: full(),
        ..scenario()
    };
    let lists_orders = Scenario {
        list_order_details: full(),
        ..scenario()
    };
    for (scenario, peer) in [(lists_users, "user"), (lists_orders, "order")] {
        let expected = json!({ "error": {
            "peer": peer, "code": "RESOURCE_EXHAUSTED", "message": "no worker",
        } });
        assert_eq!(error(scenario, &[]).await, (503, expected));
    }
}

#[tokio::test]
async fn an_expired_deadline_is_504() {
    let expected = |message| json!({ "error": { "peer": "order", "code": "DEADLINE_EXCEEDED", "message": message } });
    let stalls = Scenario {
        stalls: true,
        ..scenario()
    };
    let answer = error(stalls, &["--timeout", "100ms"]).await;
    assert_eq!(answer, (504, expected("deadline exceeded")));

    let late = Status::new(Code::DeadlineExceeded, "php was late");
    let says_so = Scenario {
        list_order_details: Some(late),
        ..scenario()
    };
    assert_eq!(error(says_so, &[]).await, (504, expected("php was late")));
}

#[tokio::test]
async fn an_unreachable_peer_is_503() {
    let nobody = free_port().await;
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let service = start(&address, &[]).await;
    let response = get(service.address, "/index").await;
    assert_eq!(response.status(), 503);
    let error: Value = serde_json::from_str(response.body()).unwrap();
    assert_eq!(error["error"]["code"], "UNAVAILABLE");
    assert_eq!(error["error"]["message"], "peer unreachable");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn every_call_has_the_trace_headers_and_the_deadline() {
    let fixture = Fixture::new(scenario(), &["--timeout", "20s"]).await;
    let mut request = Request::get("/index").body(Body::empty()).unwrap();
    *request.headers_mut() = trace_headers();
    request
        .headers_mut()
        .insert("cookie", "secret".parse().unwrap());
    let response = http(fixture.service.address, request).await;
    assert_eq!(response.headers()["x-request-id"], "value-of-x-request-id");
    let calls = fixture.fakes.calls.take();
    assert_eq!(calls.len(), 2);
    for (method, headers) in calls {
        assert_eq!(only_trace_headers(&headers), trace_headers(), "{method}");
        assert!(!headers.contains_key("cookie"));
        let left = timeout::requested(&headers).unwrap().unwrap().as_secs();
        assert!((10..20).contains(&left), "{left}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_request_without_an_id_gets_one_for_all_its_calls() {
    let fixture = Fixture::new(scenario(), &[]).await;
    let response = get(fixture.service.address, "/index").await;
    let id = &response.headers()["x-request-id"];
    assert_eq!(id.len(), 36);
    for (method, headers) in fixture.fakes.calls.take() {
        assert_eq!(&headers["x-request-id"], id, "{method}");
    }
    fixture.stop().await;
}
