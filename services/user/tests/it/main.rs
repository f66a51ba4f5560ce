//! The user service over real connections and real databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod database;
mod program;
mod server;
mod support;
mod users;
