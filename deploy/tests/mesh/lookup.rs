//! Lookups of items: streaming calls that PHP answers.

use proto::item::GetItemRequest;
use proto::item::item_service_client::ItemServiceClient;
use proto::order::GetOrderDetailRequest;
use proto::order::order_service_client::OrderServiceClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::pods::{address, curl, egress, inside, report};
use crate::report::FIRST_ITEM;

/// An order of two items in the sample data.
const ORDER: &str = "22f4ee36-2c3e-450f-bb65-36e52656b183";

/// The call that looks up all items at once.
const LOOKUP: &str = r#"grpc_code="OK",grpc_method="LookupItems",grpc_service="item.ItemService",grpc_type="bidi_stream""#;

/// The calls that the proxies of both item pods have served so far: their labels in the metric.
fn served_by_item() -> Vec<String> {
    let mut calls = Vec::new();
    for pod in ["item-1", "item-2"] {
        let (status, metrics) = curl(&format!("http://{}:6060/metrics", address(pod)), &[]);
        assert_eq!(status, 200);
        for line in metrics.lines() {
            let Some((labels, count)) = line
                .strip_prefix("grpc_server_handled_total{")
                .and_then(|line| line.split_once("} "))
            else {
                continue;
            };
            let count = count.parse().unwrap();
            calls.extend(std::iter::repeat_n(labels.to_owned(), count));
        }
    }
    calls.sort();
    calls
}

/// The result of an action, and the calls of item that it caused.
fn calls_of_item<T>(action: impl FnOnce() -> T) -> (T, Vec<String>) {
    let mut before = served_by_item().into_iter().peekable();
    let done = action();
    let after = served_by_item().into_iter();
    let new = after.filter(|call| before.next_if_eq(call).is_none());
    (done, new.collect())
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn all_items_of_an_order_are_one_call() {
    let ask = async || {
        let request = GetOrderDetailRequest { id: ORDER.into() };
        let mut client = OrderServiceClient::new(egress().await);
        client.get_order_detail(request).await.unwrap().into_inner()
    };
    let (detail, calls) = calls_of_item(|| inside("frontend-1", ask));
    assert_eq!(detail.items.len(), 2);
    assert_eq!(calls, [LOOKUP]);
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn all_items_of_the_report_are_one_call() {
    let (report, calls) = calls_of_item(report);
    let orders = report
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["orders"].as_array().unwrap().len());
    assert!(orders.sum::<usize>() > 1, "{report}");
    assert_eq!(calls, [LOOKUP]);
}

/// Full duplex through two Envoys, the proxy and php-fpm: each response message arrives before the next request message is sent.
#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn items_are_looked_up_in_full_duplex() {
    let names = inside("order-1", || async {
        let (questions, asked) = mpsc::channel(1);
        let ask = async |id: &str| {
            questions
                .send(GetItemRequest { id: id.into() })
                .await
                .unwrap()
        };
        let mut client = ItemServiceClient::new(egress().await);
        // The response begins with the first response message.
        ask(FIRST_ITEM).await;
        let answers = client.lookup_items(ReceiverStream::new(asked)).await;
        let mut answers = answers.unwrap().into_inner();
        let first = answers.message().await.unwrap().unwrap();
        ask("gone").await;
        let second = answers.message().await.unwrap().unwrap();
        drop(questions);
        assert_eq!(answers.message().await.unwrap(), None);
        [first, second].map(|answer| (answer.id, answer.item.map(|item| item.name)))
    });
    let expected = [(FIRST_ITEM, Some("first item")), ("gone", None)];
    assert_eq!(
        names,
        expected.map(|(id, name)| (id.to_owned(), name.map(str::to_owned)))
    );
}
