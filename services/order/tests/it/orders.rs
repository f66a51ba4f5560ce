//! The contract of `OrderService`, with each kind of database.

use chassis::testing::TestDatabase;
use proto::order::{
    CreateOrderRequest, DeleteOrderRequest, GetOrderDetailRequest, GetOrderRequest,
    ListOrdersRequest, ListOrdersResponse, Order,
};
use tonic::{Code, Response, Status};

use crate::support::{Fixture, fields};

const SAMPLE: [&str; 3] = [
    "034735ae-b5c8-47dd-9b59-30eacc62473a",
    "22f4ee36-2c3e-450f-bb65-36e52656b183",
    "4b2f25c3-f0fb-4640-9fc8-a3066a8022f6",
];

async fn get(fixture: &mut Fixture, id: &str) -> Result<Order, Status> {
    let request = GetOrderRequest { id: id.to_owned() };
    fixture
        .client
        .get_order(request)
        .await
        .map(Response::into_inner)
}

async fn list(
    fixture: &mut Fixture,
    user: &str,
    size: i32,
    token: &str,
) -> Result<ListOrdersResponse, Status> {
    let request = ListOrdersRequest {
        user: user.to_owned(),
        page_size: size,
        page_token: token.to_owned(),
    };
    fixture
        .client
        .list_orders(request)
        .await
        .map(Response::into_inner)
}

#[tokio::test]
async fn an_order_is_created_read_replaced_and_deleted() {
    for mut fixture in Fixture::each().await {
        let created = fixture.create("someone", &["b", "a", "b"]).await.unwrap();
        assert_eq!(created.items, ["b", "a", "b"]);
        assert_eq!(get(&mut fixture, &created.id).await.unwrap(), created);

        let replaced = Order {
            user: "another".to_owned(),
            items: vec!["c".to_owned()],
            ..created
        };
        let answer = fixture.client.update_order(replaced.clone()).await.unwrap();
        assert_eq!(answer.into_inner(), replaced);
        assert_eq!(get(&mut fixture, &replaced.id).await.unwrap(), replaced);

        let request = DeleteOrderRequest {
            id: replaced.id.clone(),
        };
        let deleted = fixture.client.delete_order(request).await.unwrap();
        assert_eq!(deleted.into_inner(), replaced);
        let status = get(&mut fixture, &replaced.id).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        fixture.stop().await;
    }
}

#[tokio::test]
async fn a_missing_order_is_not_found() {
    for mut fixture in Fixture::each().await {
        let id = "nothing".to_owned();
        let order = Order {
            id: id.clone(),
            user: "someone".to_owned(),
            items: Vec::new(),
        };
        let client = &mut fixture.client;
        for status in [
            client
                .get_order(GetOrderRequest { id: id.clone() })
                .await
                .map(drop),
            client
                .get_order_detail(GetOrderDetailRequest { id: id.clone() })
                .await
                .map(drop),
            client
                .delete_order(DeleteOrderRequest { id })
                .await
                .map(drop),
            client.update_order(order).await.map(drop),
        ] {
            let status = status.unwrap_err();
            assert_eq!(status.code(), Code::NotFound);
            assert_eq!(status.message(), "not found: order/nothing");
        }
        fixture.stop().await;
    }
}

#[tokio::test]
async fn invalid_arguments_are_named() {
    let mut fixture = Fixture::sqlite().await;
    assert_eq!(fields(&get(&mut fixture, "").await.unwrap_err()), ["id"]);
    let status = fixture.create("", &["a", "-", ""]).await.unwrap_err();
    assert_eq!(fields(&status), ["user", "items[1]", "items[2]"]);
    let status = fixture.create("someone", &["a"; 1001]).await.unwrap_err();
    assert_eq!(fields(&status), ["items"]);
    let status = fixture
        .client
        .update_order(Order::default())
        .await
        .unwrap_err();
    assert_eq!(fields(&status), ["user", "id"]);
    assert_eq!(
        fields(&list(&mut fixture, "-", 0, "").await.unwrap_err()),
        ["user"]
    );
    assert_eq!(
        fields(&list(&mut fixture, "", -1, "").await.unwrap_err()),
        ["page_size"]
    );
    assert_eq!(
        fields(&list(&mut fixture, "", 0, "?").await.unwrap_err()),
        ["page_token"]
    );
    assert!(fixture.items.calls.take().is_empty(), "no lookup");
    fixture.stop().await;
}

#[tokio::test]
async fn missing_items_are_refused_and_nothing_is_stored() {
    for mut fixture in Fixture::each().await {
        let status = fixture
            .create("someone", &["a", "gone-1"])
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.message(), "not found: item/gone-1");
        let ids = ["gone-2", "a", "gone-1", "gone-2"];
        let status = fixture.create("someone", &ids).await.unwrap_err();
        assert_eq!(status.message(), "not found: item/gone-1, item/gone-2");
        assert!(
            list(&mut fixture, "", 0, "")
                .await
                .unwrap()
                .orders
                .is_empty()
        );

        let created = fixture.create("someone", &["a"]).await.unwrap();
        let changed = Order {
            items: vec!["gone-3".to_owned()],
            ..created.clone()
        };
        let status = fixture.client.update_order(changed).await.unwrap_err();
        assert_eq!(status.message(), "not found: item/gone-3");
        assert_eq!(get(&mut fixture, &created.id).await.unwrap(), created);
        fixture.stop().await;
    }
}

#[tokio::test]
async fn pages_have_every_order_once_for_one_user_or_for_all() {
    for mut fixture in Fixture::each().await {
        for number in 0..5 {
            let user = ["even", "odd"][number % 2];
            fixture.create(user, &["a"]).await.unwrap();
        }
        for (user, expected) in [("", vec![2, 2, 1]), ("even", vec![2, 1]), ("odd", vec![2])] {
            let (mut ids, mut sizes, mut token) = (Vec::new(), Vec::new(), String::new());
            loop {
                let page = list(&mut fixture, user, 2, &token).await.unwrap();
                assert!(
                    page.orders
                        .iter()
                        .all(|order| user.is_empty() || order.user == user)
                );
                sizes.push(page.orders.len());
                ids.extend(page.orders.into_iter().map(|order| order.id));
                token = page.next_page_token;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(sizes, expected);
            assert!(ids.is_sorted_by(|a, b| a < b));
        }
        fixture.stop().await;
    }
}

#[tokio::test]
async fn a_token_is_valid_only_for_its_own_filter() {
    let mut fixture = Fixture::sqlite().await;
    for _ in 0..3 {
        fixture.create("someone", &[]).await.unwrap();
    }
    let token = list(&mut fixture, "someone", 1, "")
        .await
        .unwrap()
        .next_page_token;
    for user in ["", "another"] {
        let status = list(&mut fixture, user, 1, &token).await.unwrap_err();
        assert_eq!(fields(&status), ["page_token"]);
    }
    assert_eq!(
        list(&mut fixture, "someone", 9, &token)
            .await
            .unwrap()
            .orders
            .len(),
        2
    );
    fixture.stop().await;
}

#[tokio::test]
async fn a_page_of_large_orders_is_short_and_the_next_page_continues() {
    for mut fixture in Fixture::each().await {
        let long = "i".repeat(128);
        for _ in 0..30 {
            let items = vec![long.clone(); 1000];
            let request = CreateOrderRequest {
                user: "someone".to_owned(),
                items,
            };
            fixture.client.create_order(request).await.unwrap();
        }
        let (mut total, mut pages, mut token) = (0, 0, String::new());
        loop {
            let page = list(&mut fixture, "someone", 1000, &token).await.unwrap();
            (total, pages, token) = (total + page.orders.len(), pages + 1, page.next_page_token);
            if token.is_empty() {
                break;
            }
        }
        assert_eq!((total, pages), (30, 2));
        fixture.stop().await;
    }
}

#[tokio::test]
async fn sample_data_is_inserted_on_request_and_only_into_an_empty_database() {
    for database in TestDatabase::each().await {
        let mut fixture = Fixture::new(database, &["--sample-data"]).await;
        let orders = list(&mut fixture, "", 0, "").await.unwrap().orders;
        let ids: Vec<&str> = orders.iter().map(|order| order.id.as_str()).collect();
        assert_eq!(ids, SAMPLE);
        assert_eq!(orders[1].user, "0a30cbc7-91f1-4637-832f-9ddb9978e1c5");
        let first_and_second = [
            "6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7",
            "4415fede-7462-4f12-b87f-ede596ec6ee2",
        ];
        assert_eq!(orders[1].items, first_and_second);

        let id = SAMPLE[0].to_owned();
        fixture
            .client
            .delete_order(DeleteOrderRequest { id })
            .await
            .unwrap();
        let mut fixture = fixture.restart(&["--sample-data"]).await;
        assert_eq!(
            list(&mut fixture, "", 0, "").await.unwrap().orders,
            orders[1..]
        );
        fixture.stop().await;
    }
}
