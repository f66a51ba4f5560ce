//! What `user`, `order` and `frontend` stand on, so that each of them is only its own business.
//!
//! # The life of a call
//!
//! 1. [`process`] has parsed the flags ([`config`]), set up the logs ([`telemetry`]) and bound the ports.
//! 2. [`listen`] accepts the connection, and drains it at the end.
//! 3. `observe` gives the call its deadline ([`grpc_wire::timeout`]), counts it ([`metrics`]) and logs it.
//! 4. The service checks the arguments ([`validate`], [`paging`]) and asks its [`database`].
//! 5. What it asks of a peer goes through a [`channel`], with the deadline and the trace headers
//!    of the call that it serves ([`context`]).
//! 6. What goes wrong becomes a status in [`status`].
//!
//! [`grpc`] puts 2 and 3 together for a gRPC server, and [`service`] gives it a database; [`admin`]
//! is the port for machines that watch.

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
