//! Creating orders.

use std::{iter::repeat_n, slice};

use proto::order::Order;
use tokio::task::JoinHandle;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use super::shop::{ATTEMPTS, PATIENT, Pod, RECONCILING, Shop, new_order, until};
use crate::fake_stock::Fault;

/// Begins to create an order of one piece.
fn creating(pod: &Pod) -> JoinHandle<Result<Response<Order>, Status>> {
    let mut client = pod.client.clone();
    tokio::spawn(async move { client.create_order(new_order(&["a"])).await })
}

/// Creates an order, and cancels the call while its reservation is held.
async fn leave_while_held(shop: &Shop, pod: &Pod) {
    let creating = creating(pod);
    shop.stock().until_held().await;
    creating.abort();
    let series = r#"grpc_server_handled_total{grpc_code="Canceled",grpc_method="CreateOrder",grpc_service="order.OrderService",grpc_type="unary"}"#;
    until("the caller is gone", async || pod.metric(series).await == 1).await;
}

#[tokio::test]
async fn an_item_that_is_listed_again_is_another_piece() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        let order = pod.create(&["b", "a", "b"]).await.unwrap();
        assert_eq!(order.items, ["b", "a", "b"]);
        let lines = vec![("a".to_owned(), 1), ("b".to_owned(), 2)];
        assert_eq!(shop.stock().take_reserve_calls(), [(1, lines)]);
        assert_eq!(shop.settled(&mut pod).await, [order]);
    }
}

#[tokio::test]
async fn an_order_of_what_has_run_out_is_refused_with_the_details_and_leaves_nothing() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        let status = pod.create(&["a"; 11]).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(status.message(), "out of stock: item/a");
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (&*info.reason, &*info.metadata["item"]),
            ("OUT_OF_STOCK", "a")
        );
        assert!(shop.settled(&mut pod).await.is_empty());
        assert!(shop.stock().take_release_calls().is_empty(), "not needed");
    }
}

#[tokio::test]
async fn an_order_is_visible_only_when_it_has_its_pieces() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        shop.stock().fail_reserves([Some(Fault::Held)]);
        let creating = creating(&pod);
        shop.stock().until_held().await;
        assert!(pod.orders().await.is_empty());
        shop.stock().let_go().await;
        let order = creating.await.unwrap().unwrap().into_inner();
        assert_eq!(shop.settled(&mut pod).await, [order]);
    }
}

#[tokio::test]
async fn a_lost_response_does_not_take_the_pieces_twice() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        shop.stock()
            .fail_reserves([Some(Fault::Lost), Some(Fault::Unserved)]);
        let order = pod.create(&["a"]).await.unwrap();
        assert_eq!(shop.settled(&mut pod).await, [order]);
    }
}

#[tokio::test]
async fn an_order_is_undone_at_once_if_nobody_knows_whether_it_has_its_pieces() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        shop.stock()
            .fail_reserves(repeat_n(Some(Fault::Lost), ATTEMPTS));
        let status = pod.create(&["a"]).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unavailable, "lost")
        );
        assert!(shop.settled(&mut pod).await.is_empty());
    }
}

#[tokio::test]
async fn a_refusal_that_an_earlier_attempt_may_outlive_releases_the_order() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        shop.stock().fail_reserves([Some(Fault::Unserved)]);
        let status = pod.create(&["a"; 11]).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(shop.settled(&mut pod).await.is_empty());
        assert_eq!(shop.stock().take_release_calls().len(), 1);
    }
}

#[tokio::test]
async fn an_order_is_undone_if_its_caller_is_gone_when_it_has_its_pieces() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        shop.stock().fail_reserves([Some(Fault::Held)]);
        leave_while_held(&shop, &pod).await;
        shop.stock().let_go().await;
        assert!(shop.settled(&mut pod).await.is_empty());
        assert_eq!(shop.stock().take_release_calls().len(), 1);
    }
}

#[tokio::test]
async fn a_reservation_that_arrives_after_its_order_was_given_up_takes_nothing() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(RECONCILING).await;
        shop.stock().fail_reserves([Some(Fault::Held)]);
        let status = pod.create(&["a"]).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(shop.settled(&mut pod).await.is_empty());
        shop.stock().let_go().await;
        assert_eq!(shop.stock().take_reserve_calls().len(), 1, "it has arrived");
        assert!(shop.settled(&mut pod).await.is_empty());
    }
}

#[tokio::test]
async fn an_order_that_another_pod_has_taken_over_is_not_placed() {
    for shop in Shop::each().await {
        let pod = shop.pod(PATIENT).await;
        shop.stock().fail_reserves([Some(Fault::Held)]);
        let creating = creating(&pod);
        shop.stock().until_held().await;
        let take_over = "UPDATE orders SET state = 'deleting', revision = 2";
        assert_eq!(shop.sql(take_over).await, 1);
        shop.stock().let_go().await;
        let status = creating.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Aborted);
        let mut other = shop.pod(RECONCILING).await;
        assert!(shop.settled(&mut other).await.is_empty());
    }
}

#[tokio::test]
async fn an_order_whose_pod_crashes_is_undone_by_another_pod() {
    for shop in Shop::each().await {
        let pod = shop.pod(PATIENT).await;
        shop.stock().fail_reserves([Some(Fault::Held)]);
        let creating = creating(&pod);
        shop.stock().until_held().await;
        pod.crash();
        creating.await.unwrap().unwrap_err();
        shop.stock().let_go().await;
        assert_eq!(shop.stock().left("a"), 9);
        let mut other = shop.pod(RECONCILING).await;
        assert!(shop.settled(&mut other).await.is_empty());
        let series = r#"orders_reconciled_total{outcome="finished",state="creating"}"#;
        until("it is counted", async || other.metric(series).await == 1).await;
    }
}

#[tokio::test]
async fn a_pod_that_stops_finishes_what_its_callers_have_left() {
    for shop in Shop::each().await {
        let mut pod = shop
            .pod(&[PATIENT, &["--drain-timeout", "1h"]].concat())
            .await;
        shop.stock().fail_reserves([Some(Fault::Held)]);
        leave_while_held(&shop, &pod).await;
        let stopping = pod.stopping();
        shop.stock().let_go().await;
        stopping.await;
        let mut other = shop.pod(PATIENT).await;
        assert!(shop.settled(&mut other).await.is_empty());
    }
}

#[tokio::test]
async fn two_pods_undo_what_a_third_has_left() {
    for shop in Shop::each().await {
        let pod = shop.pod(PATIENT).await;
        let kept = pod.create(&["a", "b"]).await.unwrap();
        shop.stock()
            .fail_releases(repeat_n(Some(Fault::Unserved), 4 * ATTEMPTS));
        for _ in 0..4 {
            shop.stock()
                .fail_reserves(repeat_n(Some(Fault::Lost), ATTEMPTS));
            pod.create(&["a"]).await.unwrap_err();
        }
        until("each was to be undone", async || {
            shop.stock().faults_left() == 0
        })
        .await;
        pod.crash();
        let mut pods = [shop.pod(RECONCILING).await, shop.pod(RECONCILING).await];
        for pod in &mut pods {
            assert_eq!(shop.settled(pod).await, slice::from_ref(&kept));
        }
    }
}
