//! The whole application through five real Envoys and a real php-fpm, in the pods of `script/run --replicas item=2`.
//!
//! `script/test` starts those pods and runs this, one test after the other: some end programs that others need.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod dashboards;
mod identity;
mod logs;
mod lookup;
mod metrics;
mod observability;
mod outage;
mod pods;
mod report;
mod rotation;
mod tracing;
