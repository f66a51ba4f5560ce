//! The report.

use proto::order::CreateOrderRequest;
use proto::order::DeleteOrderRequest;
use proto::order::order_service_client::OrderServiceClient;
use proto::user::user_service_client::UserServiceClient;
use proto::user::{CreateUserRequest, DeleteUserRequest};
use serde_json::{Value, json};

use crate::pods::{curl, egress, index_url, inside, report};

pub(crate) const FIRST_ITEM: &str = "6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7";

/// What the sample data yields; `script/run --check` compares with it, too.
const EXPECTED: &str = include_str!("report.json");

fn of_user<'a>(report: &'a Value, id: &str) -> Option<&'a Value> {
    report
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["user"]["id"] == id)
}

#[test]
#[ignore = "needs pods, which script/test and script/test-cluster start"]
fn both_paths_return_the_report_and_no_other_path_exists() {
    let report = report();
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    assert_eq!(report, expected);

    let url = index_url();
    let root = url.strip_suffix("index").unwrap();
    let (status, body) = curl(root, &[]);
    assert_eq!(
        (status, serde_json::from_str::<Value>(&body).unwrap()),
        (200, report)
    );
    assert_eq!(curl(&format!("{root}metrics"), &[]).0, 404);
    assert_eq!(
        curl(&format!("{root}user.UserService/ListUsers"), &[]).0,
        404
    );
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn the_report_includes_a_new_user_and_order() {
    let (user, order) = inside("frontend-1", || async {
        let request = CreateUserRequest {
            name: "New User".into(),
            address: "1 Test Road".into(),
            email: "new@example.org".into(),
        };
        let channel = egress().await;
        let user = UserServiceClient::new(channel.clone())
            .create_user(request)
            .await
            .unwrap()
            .into_inner();
        let request = CreateOrderRequest {
            user: user.id.clone(),
            items: vec![FIRST_ITEM.into()],
        };
        let order = OrderServiceClient::new(channel)
            .create_order(request)
            .await
            .unwrap()
            .into_inner();
        (user, order)
    });

    let entry = of_user(&report(), &user.id).cloned();
    inside("frontend-1", || async {
        let channel = egress().await;
        OrderServiceClient::new(channel.clone())
            .delete_order(DeleteOrderRequest {
                id: order.id.clone(),
            })
            .await
            .unwrap();
        UserServiceClient::new(channel)
            .delete_user(DeleteUserRequest {
                id: user.id.clone(),
            })
            .await
            .unwrap();
    });
    let expected = json!({
        "user": {"id": user.id, "name": "New User", "address": "1 Test Road", "email": "new@example.org"},
        "orders": [{
            "id": order.id,
            "user": user.id,
            "items": [{"id": FIRST_ITEM, "name": "first item", "description": "first item for sell"}],
        }],
    });
    assert_eq!(entry, Some(expected));
    assert_eq!(of_user(&report(), &user.id), None);
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn an_order_of_a_missing_item_is_refused() {
    let error = inside("frontend-1", || async {
        let request = CreateOrderRequest {
            user: "someone".into(),
            items: vec![FIRST_ITEM.into(), "gone".into()],
        };
        OrderServiceClient::new(egress().await)
            .create_order(request)
            .await
            .unwrap_err()
    });
    assert_eq!(
        (error.code(), error.message()),
        (tonic::Code::NotFound, "not found: item/gone")
    );
}
