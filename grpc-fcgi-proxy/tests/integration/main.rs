//! Tests of the proxy's program in front of a real php-fpm.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod support;

mod abandoned;
mod aux;
mod builtin;
mod check;
mod client_identity;
mod connect;
mod connections;
mod dialects;
mod drain;
mod faults;
mod http1;
mod keep_alive;
mod limits;
mod load_reports;
mod log;
mod memory;
mod metadata;
mod names;
mod neighbours;
mod open_files;
mod oracle;
mod overload;
mod own_params;
mod php_fpm_metrics;
mod predecessor;
mod releases;
mod resident;
mod response_metadata;
mod rest;
mod retry;
mod rules;
mod service_manager;
mod spans;
mod start;
mod status;
mod streaming;
mod targets;
mod tls;
mod turnover;
mod unary;
mod web;
