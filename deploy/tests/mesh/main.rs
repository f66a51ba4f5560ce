//! Tests of the whole application with real Envoys and a real php-fpm, in the pods of `script/run --replicas item=2
//! --replicas order=2`.
//!
//! `script/test` starts those pods and runs these tests one by one, since some end programs that others need. Tests that also
//! concern the Kubernetes manifests run a second time in the cluster of `script/test-cluster`, and those of `cluster` only there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod callers;
mod cluster;
mod dashboards;
mod drain;
mod http;
mod identity;
mod keys;
mod load;
mod logs;
mod lookup;
mod metrics;
mod observability;
mod outage;
mod pods;
mod report;
mod resident;
mod rest;
mod rotation;
mod stock;
mod tracing;
mod watchers;
