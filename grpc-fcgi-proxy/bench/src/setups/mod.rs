//! The setups that are measured: a way from a client to an application, with an application of its own.

mod address;
mod applications;
mod backend;
mod counted;
mod envoy;
mod instructions;
mod nginx;
mod paths;
mod process;
mod proxy;
mod running;
mod setup;
mod shop;
mod usage;

pub(crate) use self::backend::{Backend, WORKERS};
pub(crate) use self::counted::{Count, Counted};
pub(crate) use self::instructions::CountingSetup;
pub(crate) use self::paths::Paths;
pub(crate) use self::running::RunningSetup;
pub(crate) use self::setup::{Intermediary, Setup, Transport};
pub(crate) use self::shop::{Frontend, Shop};
pub(crate) use self::usage::{Usage, is_child, largest_child, thread_cpu, usage};
