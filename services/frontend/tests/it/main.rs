//! The frontend over real connections, with fake peers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod at_once;
mod http;
mod mesh;
mod pages;
mod paging;
mod report;
mod shop;
mod support;
