//! The frontend over real connections, with fake peers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod http;
mod mesh;
mod pages;
mod report;
mod support;
