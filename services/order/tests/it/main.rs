//! The order service over real connections and real databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod details;
mod fake_items;
mod fake_stock;
mod items;
mod orders;
mod stock;
mod support;
