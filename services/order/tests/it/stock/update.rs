//! Updating orders.

use std::{iter::repeat_n, slice};

use proto::order::Order;
use tokio::task::JoinHandle;
use tonic::{Code, Response, Status};

use super::shop::{ATTEMPTS, PATIENT, Pod, RECONCILING, Shop};
use crate::fake_stock::{FakeStock, Fault};

/// Begins an update to these items.
fn updating(pod: &Pod, order: &Order, items: &[&str]) -> JoinHandle<Result<Order, Status>> {
    let mut client = pod.client.clone();
    let items = items.iter().map(|&id| id.to_owned()).collect();
    let order = Order {
        items,
        ..order.clone()
    };
    tokio::spawn(async move {
        let answer = client.update_order(order).await;
        answer.map(Response::into_inner)
    })
}

#[tokio::test]
async fn an_update_takes_and_puts_back_what_the_items_differ_by() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        let mut order = pod.create(&["a", "a"]).await.unwrap();
        for items in [
            &["a", "a", "a"][..],
            &["b", "a"],
            &["b"],
            &["b"],
            &[],
            &["a"],
        ] {
            order = pod.update(&order, items).await.unwrap();
            assert_eq!(order.items, items);
            assert_eq!(shop.settled(&mut pod).await, [order.clone()]);
        }
    }
}

#[tokio::test]
async fn an_update_that_is_refused_leaves_the_order_as_it_was() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        let order = pod.create(&["a"]).await.unwrap();
        let status = pod.update(&order, &["b"; 11]).await.unwrap_err();
        assert_eq!(status.message(), "out of stock: item/b");
        assert_eq!(shop.settled(&mut pod).await, slice::from_ref(&order));
        let order = pod.update(&order, &["b"; 10]).await.unwrap();
        assert_eq!(shop.settled(&mut pod).await, [order]);
    }
}

#[tokio::test]
async fn each_update_that_is_refused_has_a_revision_of_its_own() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        let order = pod.create(&["a"]).await.unwrap();
        for _ in 0..2 {
            pod.update(&order, &["b"; 11]).await.unwrap_err();
        }
        let calls = shop.stock().take_reserve_calls();
        let revisions: Vec<_> = calls.iter().map(|(revision, _)| *revision).collect();
        assert_eq!(revisions, [1, 2, 3]);
        assert_eq!(shop.settled(&mut pod).await, [order]);
    }
}

#[tokio::test]
async fn updates_get_past_what_item_has_seen_of_an_order_that_the_database_has_lost() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        let order = pod.create(&["a"]).await.unwrap();
        let order = pod.update(&order, &["b"]).await.unwrap();
        let order = pod.update(&order, &["a"]).await.unwrap();
        // As on a replica that lags behind: item has seen revision 5.
        assert_eq!(shop.sql("UPDATE orders SET revision = 1").await, 1);
        for _ in 2..5 {
            let status = pod.update(&order, &["a"]).await.unwrap_err();
            assert_eq!(status.code(), Code::Aborted);
        }
        pod.update(&order, &["a"]).await.unwrap();
        assert_eq!(shop.settled(&mut pod).await, [order]);
    }
}

#[tokio::test]
async fn an_update_is_undone_if_nobody_knows_whether_it_has_its_pieces() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        let order = pod.create(&["a"]).await.unwrap();
        shop.stock()
            .fail_reserves(repeat_n(Some(Fault::Lost), ATTEMPTS));
        let status = pod.update(&order, &["b"]).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(shop.settled(&mut pod).await, [order]);
    }
}

#[tokio::test]
async fn an_update_that_has_replaced_the_order_succeeds_and_puts_back_the_rest_later() {
    for shop in Shop::each().await {
        let pod = shop.pod(PATIENT).await;
        let order = pod.create(&["a"]).await.unwrap();
        let faults = [None]
            .into_iter()
            .chain(repeat_n(Some(Fault::Unserved), ATTEMPTS));
        shop.stock().fail_reserves(faults);
        let order = pod.update(&order, &["b"]).await.unwrap();
        assert_eq!(
            pod.orders().await,
            slice::from_ref(&order),
            "visible meanwhile"
        );
        let mut other = shop.pod(RECONCILING).await;
        assert_eq!(shop.settled(&mut other).await, [order]);
    }
}

#[tokio::test]
async fn an_update_whose_pod_crashes_is_undone_by_another_pod() {
    for shop in Shop::each().await {
        let pod = shop.pod(PATIENT).await;
        let order = pod.create(&["a"]).await.unwrap();
        shop.stock().fail_reserves([Some(Fault::Held)]);
        let update = updating(&pod, &order, &["b"]);
        shop.stock().until_held().await;
        pod.crash();
        update.await.unwrap().unwrap_err();
        shop.stock().let_go().await;
        // It has the pieces of both.
        assert_eq!((shop.stock().left("a"), shop.stock().left("b")), (9, 9));
        let mut other = shop.pod(RECONCILING).await;
        assert_eq!(shop.settled(&mut other).await, [order]);
    }
}

#[tokio::test]
async fn an_update_that_another_pod_has_taken_over_replaces_nothing() {
    for shop in Shop::each().await {
        let pod = shop.pod(PATIENT).await;
        let order = pod.create(&["a"]).await.unwrap();
        shop.stock().fail_reserves([Some(Fault::Held)]);
        let update = updating(&pod, &order, &["b"]);
        shop.stock().until_held().await;
        assert_eq!(shop.sql("UPDATE orders SET revision = 3").await, 1);
        shop.stock().let_go().await;
        let status = update.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Aborted);
        let mut other = shop.pod(RECONCILING).await;
        assert_eq!(shop.settled(&mut other).await, [order]);
    }
}

#[tokio::test]
async fn of_two_updates_at_once_the_later_one_is_aborted() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        let order = pod.create(&["a"]).await.unwrap();
        shop.stock().fail_reserves([Some(Fault::Held)]);
        let first = updating(&pod, &order, &["b"]);
        shop.stock().until_held().await;
        let status = pod.update(&order, &["a", "b"]).await.unwrap_err();
        assert_eq!(status.code(), Code::Aborted);
        shop.stock().let_go().await;
        let order = first.await.unwrap().unwrap();
        assert_eq!(shop.settled(&mut pod).await, [order]);
    }
}

#[tokio::test]
async fn a_deletion_ends_an_update() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        let order = pod.create(&["a"]).await.unwrap();
        shop.stock().fail_reserves([Some(Fault::Held)]);
        let update = updating(&pod, &order, &["b"]);
        shop.stock().until_held().await;
        pod.delete(&order).await.unwrap();
        shop.stock().let_go().await;
        assert_eq!(update.await.unwrap().unwrap_err().code(), Code::NotFound);
        assert!(shop.settled(&mut pod).await.is_empty());
    }
}

/// What may have happened to the item `c` since an order took pieces of it: nobody can order it any more.
const SINCE: [fn(&FakeStock); 2] = [|stock| stock.delete("c"), |stock| stock.count("c", 0)];

#[tokio::test]
async fn an_update_keeps_and_gives_up_what_nobody_can_order_any_more() {
    for since in SINCE {
        for shop in Shop::each().await {
            let mut pod = shop.pod(PATIENT).await;
            let mut order = pod.create(&["a", "c", "c"]).await.unwrap();
            since(shop.stock());
            for items in [&["a", "b", "c", "c"][..], &["b", "c"], &["a"]] {
                order = pod.update(&order, items).await.unwrap();
                assert_eq!(shop.settled(&mut pod).await, slice::from_ref(&order));
            }
        }
    }
}

#[tokio::test]
async fn an_update_of_an_order_that_has_what_nobody_can_order_any_more_is_undone() {
    for since in SINCE {
        for shop in Shop::each().await {
            let mut pod = shop.pod(PATIENT).await;
            let order = pod.create(&["a", "c"]).await.unwrap();
            since(shop.stock());
            shop.stock()
                .fail_reserves(repeat_n(Some(Fault::Lost), ATTEMPTS));
            let status = pod.update(&order, &["b"]).await.unwrap_err();
            assert_eq!(status.code(), Code::Unavailable);
            assert_eq!(shop.settled(&mut pod).await, [order]);
        }
    }
}

#[tokio::test]
async fn an_update_that_needs_more_of_what_nobody_can_order_is_refused_and_leaves_the_order_as_it_was()
 {
    // An earlier attempt may outlive the second refusal, so that update is undone.
    for fault in [None, Some(Fault::Unserved)] {
        for (since, code) in SINCE
            .into_iter()
            .zip([Code::NotFound, Code::FailedPrecondition])
        {
            for shop in Shop::each().await {
                let mut pod = shop.pod(PATIENT).await;
                let order = pod.create(&["a", "c"]).await.unwrap();
                since(shop.stock());
                shop.stock().fail_reserves([fault]);
                let status = pod.update(&order, &["a", "b", "c", "c"]).await.unwrap_err();
                assert_eq!(status.code(), code);
                assert_eq!(shop.settled(&mut pod).await, [order]);
            }
        }
    }
}
