//! Deleting orders.

use std::iter::repeat_n;

use proto::order::DeleteOrderRequest;
use tonic::Code;

use super::shop::{ATTEMPTS, PATIENT, RECONCILING, Shop, until};
use crate::fake_stock::Fault;

#[tokio::test]
async fn a_deleted_order_has_put_its_pieces_back() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        let order = pod.create(&["a", "a"]).await.unwrap();
        assert_eq!(pod.delete(&order).await.unwrap(), order);
        assert_eq!(shop.stock().left("a"), 10);
        assert!(shop.settled(&mut pod).await.is_empty());
    }
}

#[tokio::test]
async fn an_order_is_deleted_during_an_outage_of_item_and_puts_its_pieces_back_after_it() {
    for shop in Shop::each().await {
        let pod = shop.pod(PATIENT).await;
        let order = pod.create(&["a"]).await.unwrap();
        let mut other = shop.pod(RECONCILING).await;
        // Until both pods have failed, and the reconciler twice.
        shop.stock()
            .fail_releases(repeat_n(Some(Fault::Unserved), 3 * ATTEMPTS));
        assert_eq!(pod.delete(&order).await.unwrap(), order);
        let again = pod.delete(&order).await.unwrap_err();
        assert_eq!(again.code(), Code::NotFound);
        assert!(shop.settled(&mut other).await.is_empty());
        let failed = r#"orders_reconciled_total{outcome="failed",state="deleting"}"#;
        assert!(other.metric(failed).await >= 1);
        until("nothing is overdue", async || {
            other.metric("orders_overdue").await == 0
        })
        .await;
    }
}

#[tokio::test]
async fn an_order_that_waits_for_item_is_overdue() {
    let shop = Shop::each().await.remove(0);
    let pod = shop.pod(PATIENT).await;
    let order = pod.create(&["a"]).await.unwrap();
    let mut other = shop.pod(RECONCILING).await;
    shop.stock()
        .fail_releases(repeat_n(Some(Fault::Unserved), 1000));
    pod.delete(&order).await.unwrap();
    until("it is overdue", async || {
        other.metric("orders_overdue").await == 1
    })
    .await;
    shop.stock().mend();
    assert!(shop.settled(&mut other).await.is_empty());
}

#[tokio::test]
async fn an_order_without_items_needs_no_call_of_item() {
    for shop in Shop::each().await {
        let mut pod = shop.pod(PATIENT).await;
        let order = pod.create(&[]).await.unwrap();
        pod.delete(&order).await.unwrap();
        assert!(shop.settled(&mut pod).await.is_empty());
        assert!(shop.stock().take_reserve_calls().is_empty());
        assert!(shop.stock().take_release_calls().is_empty());
    }
}

#[tokio::test]
async fn a_deletion_that_a_crash_interrupts_is_completed_by_another_pod() {
    for shop in Shop::each().await {
        let pod = shop.pod(PATIENT).await;
        let order = pod.create(&["a"]).await.unwrap();
        shop.stock().fail_releases([Some(Fault::Held)]);
        let mut client = pod.client.clone();
        let request = DeleteOrderRequest { id: order.id };
        let deleting = tokio::spawn(async move { client.delete_order(request).await });
        shop.stock().until_held().await;
        pod.crash();
        let _ = deleting.await.unwrap();
        let mut other = shop.pod(RECONCILING).await;
        assert!(shop.settled(&mut other).await.is_empty());
    }
}
