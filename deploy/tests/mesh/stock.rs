//! The stock: buyers who compete for the last pieces of an item while programs are killed and started again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use proto::item::item_service_client::ItemServiceClient;
use proto::item::{CreateItemRequest, GetItemRequest, Item};
use proto::order::order_service_client::OrderServiceClient;
use proto::order::{CreateOrderRequest, DeleteOrderRequest, ListOrdersRequest};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::pods::{self, egress, exists, inside, until};

const BUYERS: usize = 64;
const PIECES: usize = 10;
/// Between two calls of a buyer.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a call of a buyer may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long a program is gone, and how long it then runs until the next one is killed.
const DOWN: Duration = Duration::from_secs(1);
const UP: Duration = Duration::from_secs(2);
const VICTIMS: [(&str, &str); 8] = [
    ("order-1", "order"),
    ("item-1", "php-fpm"),
    ("item-2", "grpc-fcgi-proxy"),
    ("order-1", "envoy"),
    ("item-1", "envoy"),
    ("postgresql", "postgresql"),
    ("order-2", "order"),
    ("item-2", "php-fpm"),
];

/// What a buyer has.
#[derive(Debug, Default)]
enum Basket {
    #[default]
    Empty,
    /// An order that was created.
    Full(String),
    /// An order whose deletion has failed at least once: it may have happened or not.
    Unknown(String),
}

/// The answers that a buyer has had.
#[derive(Debug, Default)]
struct Ledger {
    basket: Basket,
    created: usize,
    deleted: Vec<String>,
    out_of_stock: usize,
    failed: usize,
}

fn with_deadline<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

async fn create(client: &mut OrderServiceClient<Channel>, item: &str) -> Result<String, Status> {
    let request = CreateOrderRequest {
        user: format!("buyer of {item}"),
        items: vec![item.to_owned()],
    };
    let answer = client.create_order(with_deadline(request)).await?;
    Ok(answer.into_inner().id)
}

async fn delete(client: &mut OrderServiceClient<Channel>, id: String) -> Result<(), Status> {
    let request = DeleteOrderRequest { id };
    let answer = client.delete_order(with_deadline(request)).await;
    answer.map(drop)
}

impl Ledger {
    async fn buy(&mut self, client: &mut OrderServiceClient<Channel>, item: &str) {
        match create(client, item).await {
            Ok(id) => {
                self.basket = Basket::Full(id);
                self.created += 1;
            }
            Err(status) if status.code() == Code::FailedPrecondition => self.out_of_stock += 1,
            Err(_) => self.failed += 1,
        }
    }

    async fn put_back(&mut self, client: &mut OrderServiceClient<Channel>, id: String) {
        match delete(client, id.clone()).await {
            Ok(()) => self.deleted.push(id),
            // An earlier attempt has succeeded.
            Err(status) if status.code() == Code::NotFound => self.deleted.push(id),
            Err(_) => {
                self.basket = Basket::Unknown(id);
                self.failed += 1;
            }
        }
    }
}

/// Buys one piece, puts it back, and so on.
async fn keep_buying(channel: Channel, item: String, stop: &AtomicBool) -> Ledger {
    let mut client = OrderServiceClient::new(channel);
    let mut ledger = Ledger::default();
    while !stop.load(Ordering::Relaxed) {
        match std::mem::take(&mut ledger.basket) {
            Basket::Empty => ledger.buy(&mut client, &item).await,
            Basket::Full(id) | Basket::Unknown(id) => ledger.put_back(&mut client, id).await,
        }
        sleep(PAUSE).await;
    }
    ledger
}

/// Lets all buyers buy until `stop`, through the frontend's Envoy.
fn buyers(item: &str, stop: &'static AtomicBool) -> Vec<Ledger> {
    inside("frontend-1", async || {
        let channel = egress().await;
        let mut buyers = JoinSet::new();
        for _ in 0..BUYERS {
            buyers.spawn(keep_buying(channel.clone(), item.to_owned(), stop));
        }
        buyers.join_all().await
    })
}

/// Creates an item with the pieces, and returns its id.
fn new_item() -> String {
    inside("order-1", async || {
        let item = Item {
            name: "the last pieces".into(),
            quantity: PIECES.try_into().ok(),
            ..Item::default()
        };
        let request = CreateItemRequest { item: Some(item) };
        let mut client = ItemServiceClient::new(egress().await);
        let created = client.create_item(request).await.unwrap();
        created.into_inner().id
    })
}

/// The pieces that are left.
fn left(item: &str) -> Result<usize, Status> {
    let id = item.to_owned();
    inside("order-1", async || {
        let mut client = ItemServiceClient::new(egress().await);
        let item = client.get_item(GetItemRequest { id }).await?.into_inner();
        Ok(item.quantity.unwrap().try_into().unwrap())
    })
}

/// The visible orders, of one piece each.
fn sold(item: &str) -> Result<BTreeSet<String>, Status> {
    inside("frontend-1", async || {
        let request = ListOrdersRequest {
            user: format!("buyer of {item}"),
            page_size: 1000,
            ..ListOrdersRequest::default()
        };
        let mut client = OrderServiceClient::new(egress().await);
        let page = client.list_orders(request).await?.into_inner();
        Ok(page.orders.into_iter().map(|order| order.id).collect())
    })
}

/// Kills one program after the other, and starts it again.
fn disturb() {
    if !exists("postgresql") {
        eprintln!(
            "no database is killed: the data is in SQLite files; script/run --postgresql has one"
        );
    }
    for (pod, program) in VICTIMS {
        if exists(pod) {
            pods::end(pod, program, Signal::SIGKILL);
            thread::sleep(DOWN);
            pods::start(pod, program);
            thread::sleep(UP);
        }
    }
}

/// Stops the buyers even if the disturbances fail.
struct Stop(&'static AtomicBool);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn the_last_pieces_are_sold_once_whatever_is_killed() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let item = new_item();
    let ledgers = thread::scope(|scope| {
        let buying = scope.spawn(|| buyers(&item, &STOP));
        {
            let _stop = Stop(&STOP);
            disturb();
        }
        buying.join().unwrap()
    });
    let sum = |count: fn(&Ledger) -> usize| ledgers.iter().map(count).sum::<usize>();
    let (created, refused) = (sum(|it| it.created), sum(|it| it.out_of_stock));
    let failed = sum(|it| it.failed);
    eprintln!("{created} orders, {refused} times out of stock, {failed} calls failed");
    assert!(
        created > 2 * PIECES && refused > BUYERS,
        "the load was too low"
    );

    until("sold + left = before", || {
        let pieces = || Ok::<_, Status>(sold(&item)?.len() + left(&item)?);
        pieces().is_ok_and(|pieces| pieces == PIECES)
    });
    let visible = sold(&item).unwrap();
    for ledger in &ledgers {
        if let Basket::Full(id) = &ledger.basket {
            assert!(visible.contains(id), "lost: {id}");
        }
        let back = ledger.deleted.iter().find(|&id| visible.contains(id));
        assert_eq!(back, None, "deleted, and visible");
    }
    sell_out(&item, left(&item).unwrap());
    for id in sold(&item).unwrap() {
        inside("frontend-1", async || {
            let mut client = OrderServiceClient::new(egress().await);
            delete(&mut client, id).await.unwrap();
        });
    }
    assert_eq!(left(&item).unwrap(), PIECES);
}

/// What is left can be bought, and no more.
fn sell_out(item: &str, left: usize) {
    let refusal = inside("frontend-1", async || {
        let mut client = OrderServiceClient::new(egress().await);
        for _ in 0..left {
            create(&mut client, item).await.unwrap();
        }
        create(&mut client, item).await.unwrap_err()
    });
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert_eq!(refusal.message(), format!("out of stock: item/{item}"));
    assert_eq!(sold(item).unwrap().len(), PIECES);
}
