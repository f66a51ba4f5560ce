//! Stores the orders in SQL, takes their items from the stock of the item service, and fetches them from there.
//!
//! `service` implements the methods. For reads, `page` limits what a response holds, `details` joins orders with items, and
//! `items` looks items up. For changes, `saga` makes the steps, `reconciler` finishes what was interrupted, `stock`
//! reserves and releases `pieces`. `store` contains the queries. The common base of the services is `chassis`.

mod details;
mod items;
mod page;
mod pieces;
mod reconciler;
mod saga;
mod service;
mod stock;
mod store;

pub use page::MAX_ITEMS;

use chassis::{
    channel::Peer,
    config::duration,
    database_url::{DatabaseUrl, DatabaseUrlParser},
    grpc::Listeners,
    service::{Definition, Flags, Resources, ServiceError},
};
use std::time::Duration;

use clap::Parser;
use proto::order::order_service_server::OrderServiceServer;
use sqlx::migrate::Migrator;
use tokio_util::sync::CancellationToken;

use crate::{
    items::ItemClient, reconciler::Reconciler, saga::Sagas, service::Orders, stock::StockClient,
    store::OrderStore,
};

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

    /// How long a change of an order may be interrupted until it is finished; a step may take half of it
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = patience)]
    reconcile_after: Duration,
}

/// The shortest useful patience: calls of the item service take some milliseconds.
const LEAST_PATIENCE: Duration = Duration::from_millis(100);

fn patience(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time < LEAST_PATIENCE {
        return Err(format!("must not be shorter than {LEAST_PATIENCE:?}"));
    }
    Ok(time)
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
    let Config {
        flags,
        database_url,
        endpoint,
        reconcile_after,
    } = config;
    let service = |resources: &Resources| {
        let channel = endpoint.channel();
        let store = OrderStore::new(resources.pool.clone());
        let stock = StockClient::new(channel.clone());
        let tasks = resources.tasks.clone();
        let sagas = Sagas::new(store.clone(), stock, tasks, reconcile_after / 2);
        let (again, registry) = (sagas.clone(), &resources.registry);
        let reconciler = Reconciler::new(store.clone(), again, reconcile_after, registry)?;
        resources
            .tasks
            .spawn(reconciler.run(resources.stop.clone()));
        let orders = Orders::new(store, ItemClient::new(channel), sagas);
        Ok(OrderServiceServer::new(orders))
    };
    chassis::service::run(DEFINITION, &flags, &database_url, service, listeners, stop).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patience_that_no_call_could_meet_is_refused() {
        assert_eq!(patience("100ms"), Ok(LEAST_PATIENCE));
        assert!(patience("99ms").unwrap_err().contains("100ms"));
        assert!(patience("10").unwrap_err().contains("5s"));
    }
}
