//! Keeps the orders, in SQL, and knows their items from the item service.
//!
//! `service` checks what a client asks for, `store` has the queries, `items` asks the item
//! service, and `page` puts orders and items together. What every service needs is in
//! `chassis`.

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

/// Keeps the orders of the sample application, and serves them through gRPC.
#[derive(Debug, Clone, Parser)]
#[command(name = "order", version)]
pub struct Config {
    /// Those of every service.
    #[command(flatten)]
    pub flags: Flags,

    /// Database: sqlite:FILE, or postgres://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(long, value_name = "URL", default_value = "sqlite:order.sqlite", value_parser = DatabaseUrlParser)]
    database_url: DatabaseUrl,

    /// Address through which the item service is called
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7070")]
    endpoint: Peer,
}

/// Serves until told to stop.
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
