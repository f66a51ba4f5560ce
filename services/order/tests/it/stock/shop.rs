//! Pods of order that share a database and the fake item service, and can crash.

use std::time::Duration;

use chassis::{
    service::ServiceError,
    testing::{Running, TestDatabase, fake, flags, get},
};
use order::{Config, run};
use proto::{
    item::item_service_server::ItemServiceServer,
    order::{
        CreateOrderRequest, DeleteOrderRequest, ListOrdersRequest, Order,
        order_service_client::OrderServiceClient,
    },
};
use sqlx::AnyPool;
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};
use tonic::{Response, Status, service::Routes};

use crate::{
    fake_items::FakeItems,
    fake_stock::{FakeStock, Pieces},
    support::OrderClient,
};

/// A pod that leaves what is interrupted as it is.
pub(crate) const PATIENT: &[&str] = &["--reconcile-after", "1h"];
/// A pod that finishes it soon. It may be too impatient to change orders itself.
pub(crate) const RECONCILING: &[&str] = &["--reconcile-after", "300ms"];
/// As often as order tries one call of item.
pub(crate) const ATTEMPTS: usize = 9;

const TIME_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// A database, and the item service with 10 pieces of `a` and of `b`.
pub(crate) struct Shop {
    pub(crate) database: TestDatabase,
    items: FakeItems,
    fake: Running,
}

/// A running program of order, with threads of its own, so that all of it can vanish at once.
pub(crate) struct Pod {
    pub(crate) client: OrderClient,
    service: Option<Running<Result<(), ServiceError>>>,
    runtime: Option<Runtime>,
}

impl Shop {
    pub(crate) async fn new(database: TestDatabase) -> Self {
        let items = FakeItems::default();
        items.stock.set(&[("a", 10), ("b", 10)]);
        let routes = Routes::new(ItemServiceServer::new(items.clone()));
        let fake = fake(routes.into_axum_router()).await;
        Self {
            database,
            items,
            fake,
        }
    }

    /// One for each kind of database.
    pub(crate) async fn each() -> Vec<Self> {
        let mut all = Vec::new();
        for database in TestDatabase::each().await {
            all.push(Self::new(database).await);
        }
        all
    }

    /// Starts a pod.
    pub(crate) async fn pod(&self, more: &[&str]) -> Pod {
        let endpoint = self.fake.address.to_string();
        let all = [
            "--database-url",
            &self.database.url,
            "--endpoint",
            &endpoint,
        ];
        let config: Config = flags("order", &[&all, more].concat());
        let threads = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = threads.unwrap();
        let starting = Running::start(move |listeners, stop| run(config, listeners, stop));
        let service = runtime.spawn(starting).await.unwrap();
        Pod {
            client: OrderServiceClient::new(service.channel()),
            service: Some(service),
            runtime: Some(runtime),
        }
    }

    pub(crate) fn stock(&self) -> &FakeStock {
        &self.items.stock
    }

    /// Runs a statement, and returns the number of rows that it has changed.
    pub(crate) async fn sql(&self, statement: &'static str) -> u64 {
        let pool = AnyPool::connect(&self.database.url).await.unwrap();
        let done = sqlx::query(statement).execute(&pool).await.unwrap();
        pool.close().await;
        done.rows_affected()
    }

    async fn unfinished(&self) -> i64 {
        let pool = AnyPool::connect(&self.database.url).await.unwrap();
        let query = "SELECT COUNT(*) FROM orders WHERE state <> 'placed'";
        let count = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
        pool.close().await;
        count
    }

    /// Waits until no change is unfinished.
    pub(crate) async fn finished(&self) {
        until("every change is finished", async || {
            self.unfinished().await == 0
        })
        .await;
    }

    /// Waits until no change is unfinished. Then each order that is visible has exactly its pieces, and all others are in
    /// stock.
    pub(crate) async fn settled(&self, pod: &mut Pod) -> Vec<Order> {
        self.finished().await;
        let orders = pod.orders().await;
        let mut sold = Pieces::new();
        for order in &orders {
            let mut pieces = Pieces::new();
            for id in &order.items {
                *pieces.entry(id.clone()).or_default() += 1;
                *sold.entry(id.clone()).or_default() += 1;
            }
            assert_eq!(self.stock().reserved(&order.id), Some(pieces));
        }
        for id in ["a", "b"] {
            let sold = sold.get(id).copied().unwrap_or_default();
            assert_eq!(sold + self.stock().left(id), 10, "sold + left of {id}");
        }
        orders
    }
}

impl Pod {
    pub(crate) async fn create(&self, items: &[&str]) -> Result<Order, Status> {
        let answer = self.client.clone().create_order(new_order(items)).await;
        answer.map(Response::into_inner)
    }

    pub(crate) async fn update(&self, order: &Order, items: &[&str]) -> Result<Order, Status> {
        let items = items.iter().map(|&id| id.to_owned()).collect();
        let order = Order {
            items,
            ..order.clone()
        };
        let answer = self.client.clone().update_order(order).await;
        answer.map(Response::into_inner)
    }

    pub(crate) async fn delete(&self, order: &Order) -> Result<Order, Status> {
        let id = order.id.clone();
        let request = DeleteOrderRequest { id };
        let answer = self.client.clone().delete_order(request).await;
        answer.map(Response::into_inner)
    }

    pub(crate) async fn orders(&self) -> Vec<Order> {
        let request = ListOrdersRequest::default();
        let answer = self.client.clone().list_orders(request).await;
        answer.unwrap().into_inner().orders
    }

    /// The value of a series.
    pub(crate) async fn metric(&self, series: &str) -> i64 {
        let aux = self.service.as_ref().unwrap().aux;
        let text = get(aux, "/metrics").await.into_body();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        let line = line.unwrap_or_else(|| panic!("no {series}: {text}"));
        line.trim().parse().unwrap()
    }

    /// Stops the program; the returned future waits for its end.
    pub(crate) fn stopping(&mut self) -> impl Future<Output = ()> + use<> {
        let service = self.service.take().unwrap().stopping();
        async move { service.await.unwrap().unwrap() }
    }

    /// Ends the program between two steps, as SIGKILL would.
    pub(crate) fn crash(self) {}
}

impl Drop for Pod {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) fn new_order(items: &[&str]) -> CreateOrderRequest {
    CreateOrderRequest {
        user: "someone".to_owned(),
        items: items.iter().map(|&id| id.to_owned()).collect(),
    }
}

/// Waits until a condition is true.
pub(crate) async fn until(what: &str, is_true: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_true().await {
            tokio::time::sleep(PAUSE).await;
        }
    };
    let ended = timeout(TIME_LIMIT, waiting).await;
    ended.unwrap_or_else(|_| panic!("{what}: not within {TIME_LIMIT:?}"));
}
