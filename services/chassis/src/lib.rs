//! The common base of `user`, `order` and `frontend`, which contain only their own logic.
//!
//! # The life of a call
//!
//! 1. [`process`] has parsed the flags ([`config`]), set up the log ([`telemetry`]) and bound the ports.
//! 2. [`listen`] accepts the connection, and drains it on shutdown.
//! 3. `observe` enforces the deadline of the call ([`grpc_wire::timeout`]), counts it ([`metrics`]) and logs it.
//! 4. The service validates the arguments ([`validate`], [`paging`]) and queries its [`database`].
//! 5. Calls to a peer go through a [`channel`], with the deadline and the trace headers of the served call
//!    ([`context`]).
//! 6. Errors become statuses ([`status`]).
//!
//! [`grpc`] combines 2 and 3 into a gRPC server, and [`service`] adds a database. [`admin`] is the auxiliary port.

pub mod admin;
pub mod channel;
pub mod config;
pub mod context;
pub mod database;
pub mod database_url;
pub mod grpc;
pub mod listen;
pub mod metrics;
mod observe;
pub mod paging;
pub mod process;
pub mod service;
pub mod status;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod validate;
