//! What is measured: a way from a client to a FastCGI application, with an application of its own.

mod applications;
mod envoy;
mod nginx;
mod process;
mod proxy;
mod running;

use self::process::Process;
pub(crate) use self::process::{Usage, usage};
pub(crate) use self::running::{Backend, Between, Places, Target, WORKERS, Way};
use self::running::{accepts, free_address, text};
