//! The flags of php-fpm's status page.

use clap::Args;

use super::values::page;
use crate::fastcgi::endpoint::Endpoint;

/// The source of php-fpm's own metrics.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct StatusFlags {
    /// Path of php-fpm's status page (the pool's pm.status_path), such as /status; each scrape of /metrics then includes
    /// the pool's phpfpm_ metrics
    #[arg(
        long,
        value_name = "/PATH",
        value_parser = page("pm.status_path", "/status")
    )]
    pub(crate) status_path: Option<String>,

    /// Address of the status page: the pool's pm.status_listen, which answers even when all workers are busy [default: as
    /// --fastcgi]. Repeatable, or separated by commas
    #[arg(
        long,
        value_name = "URL",
        value_delimiter = ',',
        requires = "status_path"
    )]
    pub(crate) status_fastcgi: Vec<Endpoint>,
}

impl StatusFlags {
    /// The endpoints of the status pages, of pools at `fastcgi`.
    pub(crate) fn endpoints<'a>(&'a self, fastcgi: &'a [Endpoint]) -> &'a [Endpoint] {
        match self.status_fastcgi.as_slice() {
            [] => fastcgi,
            given => given,
        }
    }
}
