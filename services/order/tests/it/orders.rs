//! The contract of `OrderService`, with each kind of database.

use chassis::testing::Database;
use proto::order::{
    CreateOrderRequest, DeleteOrderRequest, GetOrderDetailRequest, GetOrderRequest,
    ListOrdersRequest, ListOrdersResponse, Order,
};
use tonic::{Code, Response, Status};

use crate::support::{Stand, fields};

const SAMPLE: [&str; 3] = [
    "034735ae-b5c8-47dd-9b59-30eacc62473a",
    "22f4ee36-2c3e-450f-bb65-36e52656b183",
    "4b2f25c3-f0fb-4640-9fc8-a3066a8022f6",
];

async fn get(stand: &mut Stand, id: &str) -> Result<Order, Status> {
    let request = GetOrderRequest { id: id.to_owned() };
    stand
        .client
        .get_order(request)
        .await
        .map(Response::into_inner)
}

async fn list(
    stand: &mut Stand,
    user: &str,
    size: i32,
    token: &str,
) -> Result<ListOrdersResponse, Status> {
    let request = ListOrdersRequest {
        user: user.to_owned(),
        page_size: size,
        page_token: token.to_owned(),
    };
    stand
        .client
        .list_orders(request)
        .await
        .map(Response::into_inner)
}

#[tokio::test]
async fn an_order_is_created_read_replaced_and_removed() {
    for mut stand in Stand::each().await {
        let created = stand.create("someone", &["b", "a", "b"]).await.unwrap();
        assert_eq!(created.items, ["b", "a", "b"]);
        assert_eq!(get(&mut stand, &created.id).await.unwrap(), created);

        let replaced = Order {
            user: "another".to_owned(),
            items: vec!["c".to_owned()],
            ..created
        };
        let answer = stand.client.update_order(replaced.clone()).await.unwrap();
        assert_eq!(answer.into_inner(), replaced);
        assert_eq!(get(&mut stand, &replaced.id).await.unwrap(), replaced);

        let request = DeleteOrderRequest {
            id: replaced.id.clone(),
        };
        let removed = stand.client.delete_order(request).await.unwrap();
        assert_eq!(removed.into_inner(), replaced);
        let status = get(&mut stand, &replaced.id).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        stand.stop().await;
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    for mut stand in Stand::each().await {
        let id = "nothing".to_owned();
        let order = Order {
            id: id.clone(),
            user: "someone".to_owned(),
            items: Vec::new(),
        };
        let client = &mut stand.client;
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
        stand.stop().await;
    }
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let mut stand = Stand::sqlite().await;
    assert_eq!(fields(&get(&mut stand, "").await.unwrap_err()), ["id"]);
    let status = stand.create("", &["a", "-", ""]).await.unwrap_err();
    assert_eq!(fields(&status), ["user", "items[1]", "items[2]"]);
    let status = stand.create("someone", &["a"; 1001]).await.unwrap_err();
    assert_eq!(fields(&status), ["items"]);
    let status = stand
        .client
        .update_order(Order::default())
        .await
        .unwrap_err();
    assert_eq!(fields(&status), ["user", "id"]);
    assert_eq!(
        fields(&list(&mut stand, "-", 0, "").await.unwrap_err()),
        ["user"]
    );
    assert_eq!(
        fields(&list(&mut stand, "", -1, "").await.unwrap_err()),
        ["page_size"]
    );
    assert_eq!(
        fields(&list(&mut stand, "", 0, "?").await.unwrap_err()),
        ["page_token"]
    );
    assert!(stand.items.calls.take().is_empty(), "nothing was asked");
    stand.stop().await;
}

#[tokio::test]
async fn items_that_do_not_exist_are_refused_and_nothing_is_written() {
    for mut stand in Stand::each().await {
        let status = stand.create("someone", &["a", "gone-1"]).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.message(), "not found: item/gone-1");
        let ids = ["gone-2", "a", "gone-1", "gone-2"];
        let status = stand.create("someone", &ids).await.unwrap_err();
        assert_eq!(status.message(), "not found: item/gone-2, item/gone-1");
        assert!(list(&mut stand, "", 0, "").await.unwrap().orders.is_empty());

        let created = stand.create("someone", &["a"]).await.unwrap();
        let changed = Order {
            items: vec!["gone-3".to_owned()],
            ..created.clone()
        };
        let status = stand.client.update_order(changed).await.unwrap_err();
        assert_eq!(status.message(), "not found: item/gone-3");
        assert_eq!(get(&mut stand, &created.id).await.unwrap(), created);
        stand.stop().await;
    }
}

#[tokio::test]
async fn pages_have_every_order_once_for_one_user_or_for_all() {
    for mut stand in Stand::each().await {
        for number in 0..5 {
            let user = ["even", "odd"][number % 2];
            stand.create(user, &["a"]).await.unwrap();
        }
        for (user, expected) in [("", vec![2, 2, 1]), ("even", vec![2, 1]), ("odd", vec![2])] {
            let (mut ids, mut sizes, mut token) = (Vec::new(), Vec::new(), String::new());
            loop {
                let page = list(&mut stand, user, 2, &token).await.unwrap();
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
        stand.stop().await;
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_own_filter_only() {
    let mut stand = Stand::sqlite().await;
    for _ in 0..3 {
        stand.create("someone", &[]).await.unwrap();
    }
    let token = list(&mut stand, "someone", 1, "")
        .await
        .unwrap()
        .next_page_token;
    for user in ["", "another"] {
        let status = list(&mut stand, user, 1, &token).await.unwrap_err();
        assert_eq!(fields(&status), ["page_token"]);
    }
    assert_eq!(
        list(&mut stand, "someone", 9, &token)
            .await
            .unwrap()
            .orders
            .len(),
        2
    );
    stand.stop().await;
}

#[tokio::test]
async fn a_page_of_large_orders_is_short_and_the_next_ones_go_on() {
    for mut stand in Stand::each().await {
        let long = "i".repeat(128);
        for _ in 0..30 {
            let items = vec![long.clone(); 1000];
            let request = CreateOrderRequest {
                user: "someone".to_owned(),
                items,
            };
            stand.client.create_order(request).await.unwrap();
        }
        let (mut total, mut pages, mut token) = (0, 0, String::new());
        loop {
            let page = list(&mut stand, "someone", 1000, &token).await.unwrap();
            (total, pages, token) = (total + page.orders.len(), pages + 1, page.next_page_token);
            if token.is_empty() {
                break;
            }
        }
        assert_eq!((total, pages), (30, 2));
        stand.stop().await;
    }
}

#[tokio::test]
async fn sample_data_is_there_when_asked_for_and_never_over_other_rows() {
    for database in Database::each().await {
        let mut stand = Stand::new(database, &["--sample-data"]).await;
        let orders = list(&mut stand, "", 0, "").await.unwrap().orders;
        let ids: Vec<&str> = orders.iter().map(|order| order.id.as_str()).collect();
        assert_eq!(ids, SAMPLE);
        assert_eq!(orders[1].user, "0a30cbc7-91f1-4637-832f-9ddb9978e1c5");
        let first_and_second = [
            "6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7",
            "4415fede-7462-4f12-b87f-ede596ec6ee2",
        ];
        assert_eq!(orders[1].items, first_and_second);

        let id = SAMPLE[0].to_owned();
        stand
            .client
            .delete_order(DeleteOrderRequest { id })
            .await
            .unwrap();
        let mut stand = stand.restart(&["--sample-data"]).await;
        assert_eq!(
            list(&mut stand, "", 0, "").await.unwrap().orders,
            orders[1..]
        );
        stand.stop().await;
    }
}
