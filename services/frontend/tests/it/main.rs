//! The frontend over real connections, with fakes of its peers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod http;
mod report;
mod support;
