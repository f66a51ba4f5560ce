//! An order service on free ports, and a fake item service whose behaviour depends on the ids.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chassis::{
    service::ServiceError,
    testing::{Recorded, Running, TcpRelay, TestDatabase, fake, flags},
};
use futures_util::StreamExt;
use http::HeaderMap;
use order::{Config, OrderStore, run};
use proto::{
    item::{
        GetItemRequest, Item, LookupItemsResponse,
        item_service_server::{ItemService, ItemServiceServer},
    },
    order::{CreateOrderRequest, Order, order_service_client::OrderServiceClient},
};
use sqlx::AnyPool;
use tokio::sync::Notify;
use tonic::{
    Code, Request, Response, Status, Streaming, codegen::BoxStream, service::Routes,
    transport::Channel,
};
use tonic_types::StatusExt;

pub(crate) type OrderClient = OrderServiceClient<Channel>;

/// `gone…` is missing, `full…` is refused, `held…` waits for `release`, `silent…` gets no response, `large…` is an item of
/// 1 MiB, and every other id is an item.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeItems {
    /// The header fields of each call.
    pub(crate) calls: Recorded<HeaderMap>,
    pub(crate) looked_up: Recorded<String>,
    pub(crate) arrived: Arc<Notify>,
    pub(crate) release: Arc<Notify>,
    /// The number of calls to abort after their first response.
    pub(crate) aborting: Arc<AtomicUsize>,
}

impl FakeItems {
    async fn answer(&self, id: String) -> Option<Result<LookupItemsResponse, Status>> {
        self.looked_up.push(id.clone());
        if id.starts_with("silent") {
            return None;
        }
        if id.starts_with("full") {
            let details = b"details".as_slice().into();
            let code = Code::ResourceExhausted;
            return Some(Err(Status::with_details(code, "no worker", details)));
        }
        if id.starts_with("held") {
            self.arrived.notify_one();
            self.release.notified().await;
        }
        let item = (!id.starts_with("gone")).then(|| item(&id));
        Some(Ok(LookupItemsResponse { id, item }))
    }

    fn aborts(&self) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        self.aborting.fetch_update(order, order, one_less).is_ok()
    }
}

#[tonic::async_trait]
impl ItemService for FakeItems {
    async fn lookup_items(
        &self,
        request: Request<Streaming<GetItemRequest>>,
    ) -> Result<Response<BoxStream<LookupItemsResponse>>, Status> {
        self.calls.push(request.metadata().clone().into_headers());
        let (fake, aborts) = (self.clone(), self.aborts());
        let answer = move |(number, request): (usize, Result<GetItemRequest, Status>)| {
            let fake = fake.clone();
            async move {
                match request {
                    Ok(_) if aborts && number > 0 => Some(Err(Status::unavailable("going away"))),
                    Ok(request) => fake.answer(request.id).await,
                    Err(status) => Some(Err(status)),
                }
            }
        };
        let answers = request.into_inner().enumerate().filter_map(answer).boxed();
        let mut answers = Box::pin(answers.peekable());
        // PHP sends its header fields with the first response: a client that waits for them before its first request
        // hangs.
        answers.as_mut().peek().await;
        Ok(Response::new(answers))
    }
}

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
        let items = items.iter().map(|&id| id.to_owned()).collect();
        let order = Order {
            id: id.to_owned(),
            user: "someone".to_owned(),
            items,
        };
        assert!(OrderStore::new(pool.clone()).update(&order).await.unwrap());
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
