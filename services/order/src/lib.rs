//! Stores the orders in SQL, and fetches their items from the item service.
//!
//! `service` implements the methods, `page` limits what a response holds, `details` joins orders with items, `items`
//! calls the item service, and `store` contains the queries. The common base of the services is `chassis`.

mod details;
mod items;
mod page;
mod service;
mod store;

pub use page::MAX_ITEMS;
pub use store::OrderStore;

use chassis::{
    channel::Peer,
    database_url::{DatabaseUrl, DatabaseUrlParser},
    grpc::Listeners,
    service::{Definition, Flags, ServiceError},
};
use clap::Parser;
use proto::order::order_service_server::OrderServiceServer;
use sqlx::migrate::Migrator;
use tokio_util::sync::CancellationToken;

use crate::{items::ItemClient, service::Orders};

static MIGRATIONS: Migrator = sqlx::migrate!();
const DEFINITION: Definition = Definition {
    methods: &[
        "CreateOrder",
        "GetOrder",
        "GetOrderDetail",
        "ListOrders",
        "ListOrderDetails",
        "DeleteOrder",
        "UpdateOrder",
    ],
    migrations: &MIGRATIONS,
    sample: include_str!("../sample.sql"),
};

/// The order service of the sample application: stores the orders, and serves them over gRPC.
#[derive(Debug, Clone, Parser)]
#[command(name = "order", version)]
pub struct Config {
    /// The flags of every gRPC service.
    #[command(flatten)]
    pub flags: Flags,

    /// Database: sqlite:FILE, or postgres://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(long, value_name = "URL", default_value = "sqlite:order.sqlite", value_parser = DatabaseUrlParser)]
    database_url: DatabaseUrl,

    /// Address for calls to the item service
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7070")]
    endpoint: Peer,
}

/// Serves until `stop` is cancelled.
///
/// # Errors
///
/// See [`ServiceError`].
pub async fn run(
    config: Config,
    listeners: Listeners,
    stop: CancellationToken,
) -> Result<(), ServiceError> {
    let items = ItemClient::new(config.endpoint.channel());
    let service = |pool| OrderServiceServer::new(Orders::new(OrderStore::new(pool), items));
    let Config {
        flags,
        database_url,
        ..
    } = config;
    chassis::service::run(DEFINITION, &flags, &database_url, service, listeners, stop).await
}
