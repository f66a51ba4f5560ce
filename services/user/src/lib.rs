//! Stores the users in SQL.
//!
//! `service` implements the methods, and `store` contains the queries. The common base of the services is `chassis`.

mod service;
mod store;

use chassis::{
    database_url::{DatabaseUrl, DatabaseUrlParser},
    grpc::Listeners,
    service::{Definition, Flags, Resources, ServiceError},
};
use clap::Parser;
use proto::user::user_service_server::UserServiceServer;
use sqlx::migrate::Migrator;
use tokio_util::sync::CancellationToken;

use crate::{service::Users, store::UserStore};

static MIGRATIONS: Migrator = sqlx::migrate!();
const DEFINITION: Definition = Definition {
    methods: &[
        "CreateUser",
        "GetUser",
        "ListUsers",
        "DeleteUser",
        "UpdateUser",
    ],
    migrations: &MIGRATIONS,
    sample: include_str!("../sample.sql"),
};

/// The user service of the sample application: stores the users, and serves them over gRPC.
#[derive(Debug, Clone, Parser)]
#[command(name = "user", version)]
pub struct Config {
    /// The flags of every gRPC service.
    #[command(flatten)]
    pub flags: Flags,

    /// Database: sqlite:FILE, or postgres://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(long, value_name = "URL", default_value = "sqlite:user.sqlite", value_parser = DatabaseUrlParser)]
    database_url: DatabaseUrl,
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
    let service = |resources: &Resources| {
        let store = UserStore::new(resources.pool.clone());
        Ok(UserServiceServer::new(Users::new(store)))
    };
    let Config {
        flags,
        database_url,
        ..
    } = config;
    chassis::service::run(DEFINITION, &flags, &database_url, service, listeners, stop).await
}
