//! An order service on free ports, beside the fake item service.

use chassis::{
    service::ServiceError,
    testing::{Running, TcpRelay, TestDatabase, fake, flags},
};
use order::{Config, run};
use proto::{
    item::{Item, item_service_server::ItemServiceServer},
    order::{CreateOrderRequest, Order, order_service_client::OrderServiceClient},
};
use sqlx::AnyPool;
use tonic::{Code, Response, Status, service::Routes, transport::Channel};
use tonic_types::StatusExt;

use crate::fake_items::FakeItems;

pub(crate) type OrderClient = OrderServiceClient<Channel>;

pub(crate) fn item(id: &str) -> Item {
    let description = if id.starts_with("large") {
        "d".repeat(1 << 20)
    } else {
        format!("description of {id}")
    };
    Item {
        id: id.to_owned(),
        name: format!("name of {id}"),
        description,
        ..Item::default()
    }
}

/// The fields that INVALID_ARGUMENT names.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let violations = status.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|one| one.field).collect()
}

/// A running order service, its client, its database and the fake item service.
pub(crate) struct Fixture {
    pub(crate) client: OrderClient,
    pub(crate) items: FakeItems,
    pub(crate) service: Running<Result<(), ServiceError>>,
    fake: Running,
    /// The connection to the fake.
    _relay: TcpRelay,
    database: TestDatabase,
}

impl Fixture {
    pub(crate) async fn new(database: TestDatabase, more: &[&str]) -> Self {
        Self::closing(0, database, more).await
    }

    /// The first connections to the item service are closed immediately.
    pub(crate) async fn closing(connections: usize, database: TestDatabase, more: &[&str]) -> Self {
        let items = FakeItems::default();
        let routes = Routes::new(ItemServiceServer::new(items.clone()));
        let fake = fake(routes.into_axum_router()).await;
        let relay = TcpRelay::to(fake.address.to_string(), connections).await;
        let endpoint = relay.address.to_string();
        let mut all = vec!["--database-url", &database.url];
        if !more.contains(&"--endpoint") {
            all.extend(["--endpoint", &endpoint]);
        }
        let config: Config = flags("order", &[&all, more].concat());
        let service = Running::start(|listeners, stop| run(config, listeners, stop)).await;
        Self {
            client: OrderServiceClient::new(service.channel()),
            items,
            service,
            fake,
            _relay: relay,
            database,
        }
    }

    /// One fixture for each kind of database.
    pub(crate) async fn each() -> Vec<Self> {
        let mut all = Vec::new();
        for database in TestDatabase::each().await {
            all.push(Self::new(database, &[]).await);
        }
        all
    }

    pub(crate) async fn sqlite() -> Self {
        Self::new(TestDatabase::sqlite(), &[]).await
    }

    pub(crate) async fn create(&mut self, user: &str, items: &[&str]) -> Result<Order, Status> {
        let request = CreateOrderRequest {
            user: user.to_owned(),
            items: items.iter().map(|&id| id.to_owned()).collect(),
        };
        let answer = self.client.create_order(request).await;
        answer.map(Response::into_inner)
    }

    /// Replaces the items of an order without validation.
    pub(crate) async fn set_items(&self, id: &str, items: &[&str]) {
        let pool = AnyPool::connect(&self.database.url).await.unwrap();
        let query = sqlx::query("UPDATE orders SET items = $2 WHERE id = $1");
        let items = serde_json::json!(items).to_string();
        let done = query.bind(id).bind(items).execute(&pool).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
        pool.close().await;
    }

    /// Restarts the service with the same database.
    pub(crate) async fn restart(self, more: &[&str]) -> Self {
        self.service.stop().await.unwrap();
        self.fake.stop().await;
        Self::new(self.database, more).await
    }

    pub(crate) async fn stop(self) {
        self.service.stop().await.unwrap();
        self.fake.stop().await;
    }

    /// Stops the service; the returned future waits for its end.
    pub(crate) fn stopping(self) -> impl Future<Output = ()> {
        let service = self.service.stopping();
        async move {
            service.await.unwrap().unwrap();
            self.fake.stop().await;
            drop(self.database);
        }
    }
}
