//! An order service as its program runs it, on free ports, and an item service whose ids say what
//! it does.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chassis::{
    service::Error,
    testing::{Database, Running, Seen, fake, flags},
};
use http::HeaderMap;
use order::{Config, run, store::Store};
use proto::{
    item::{
        GetItemRequest, Item, ListItemsRequest, ListItemsResponse, LookupItemsResponse,
        item_service_server::{ItemService, ItemServiceServer},
    },
    order::{CreateOrderRequest, Order, order_service_client::OrderServiceClient},
};
use sqlx::AnyPool;
use tokio::sync::{Barrier, Notify};
use tonic::{
    Code, Request, Response, Status, Streaming, codegen::BoxStream, service::Routes,
    transport::Channel,
};

pub(crate) type Client = OrderServiceClient<Channel>;

/// `gone…` is not there, `full…` fails, `held…` waits until it is let go, `pair…`
/// waits for another call to come, and every other id is an item.
#[derive(Debug, Clone)]
pub(crate) struct FakeItems {
    pub(crate) calls: Seen<(String, HeaderMap)>,
    pub(crate) arrived: Arc<Notify>,
    pub(crate) let_go: Arc<Notify>,
    pub(crate) most_at_once: Arc<AtomicUsize>,
    at_once: Arc<AtomicUsize>,
    pairs: Arc<Barrier>,
}

impl Default for FakeItems {
    fn default() -> Self {
        Self {
            calls: Seen::default(),
            arrived: Arc::default(),
            let_go: Arc::default(),
            most_at_once: Arc::default(),
            at_once: Arc::default(),
            pairs: Arc::new(Barrier::new(2)),
        }
    }
}

#[tonic::async_trait]
impl ItemService for FakeItems {
    async fn get_item(&self, request: Request<GetItemRequest>) -> Result<Response<Item>, Status> {
        let headers = request.metadata().clone().into_headers();
        let id = request.into_inner().id;
        self.calls.push((id.clone(), headers));
        if id.starts_with("gone") {
            return Err(Status::not_found(format!("not found: item/{id}")));
        }
        if id.starts_with("full") {
            let details = b"details".as_slice().into();
            return Err(Status::with_details(
                Code::ResourceExhausted,
                "no worker",
                details,
            ));
        }
        if id.starts_with("held") {
            self.arrived.notify_one();
            self.let_go.notified().await;
        }
        if id.starts_with("pair") {
            let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
            self.pairs.wait().await;
            self.at_once.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(Response::new(item(&id)))
    }

    async fn list_items(
        &self,
        _: Request<ListItemsRequest>,
    ) -> Result<Response<ListItemsResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    type LookupItemsStream = BoxStream<LookupItemsResponse>;

    async fn lookup_items(
        &self,
        _: Request<Streaming<GetItemRequest>>,
    ) -> Result<Response<Self::LookupItemsStream>, Status> {
        Err(Status::unimplemented("not asked for"))
    }
}

pub(crate) fn item(id: &str) -> Item {
    Item {
        id: id.to_owned(),
        name: format!("name of {id}"),
        description: format!("description of {id}"),
    }
}

/// All that a test needs.
pub(crate) struct Stand {
    pub(crate) client: Client,
    pub(crate) items: FakeItems,
    pub(crate) service: Running<Result<(), Error>>,
    fake: Running,
    database: Database,
}

impl Stand {
    pub(crate) async fn new(database: Database, more: &[&str]) -> Self {
        let items = FakeItems::default();
        let routes = Routes::new(ItemServiceServer::new(items.clone()));
        let fake = fake(routes.into_axum_router()).await;
        let endpoint = fake.address.to_string();
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
            database,
        }
    }

    pub(crate) async fn sqlite() -> Self {
        Self::new(Database::sqlite(), &[]).await
    }

    pub(crate) async fn create(&mut self, user: &str, items: &[&str]) -> Result<Order, Status> {
        let request = CreateOrderRequest {
            user: user.to_owned(),
            items: items.iter().map(|&id| id.to_owned()).collect(),
        };
        let answer = self.client.create_order(request).await;
        answer.map(Response::into_inner)
    }

    /// Gives an order any items, as if they had been there when it was made.
    pub(crate) async fn set_items(&self, id: &str, items: &[&str]) {
        let pool = AnyPool::connect(&self.database.url).await.unwrap();
        let items = items.iter().map(|&id| id.to_owned()).collect();
        let order = Order {
            id: id.to_owned(),
            user: "someone".to_owned(),
            items,
        };
        assert!(Store::new(pool.clone()).update(&order).await.unwrap());
        pool.close().await;
    }

    /// The same database with another process.
    pub(crate) async fn restart(self, more: &[&str]) -> Self {
        self.service.stop().await.unwrap();
        self.fake.stop().await;
        Self::new(self.database, more).await
    }

    pub(crate) async fn stop(self) {
        self.service.stop().await.unwrap();
        self.fake.stop().await;
    }

    /// Told to stop; what is given waits for the end.
    pub(crate) fn stopping(self) -> impl Future<Output = ()> {
        let service = self.service.stopping();
        async move {
            service.await.unwrap().unwrap();
            self.fake.stop().await;
            drop(self.database);
        }
    }
}
