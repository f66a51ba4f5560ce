//! The flags about php-fpm's status page.

use clap::Args;

use super::values::page;
use crate::fastcgi::target::Target;
use crate::php_fpm::status_page::StatusPage;

/// Where php-fpm's own metrics are.
#[derive(Args, Clone, Debug, Default)]
pub struct StatusFlags {
    /// Path of php-fpm's status page (the pool's pm.status_path), such as /status; /metrics then has the phpfpm_
    /// metrics of the pool, asked for at that moment
    #[arg(
        long,
        value_name = "/PATH",
        env = "GRPC_FCGI_PROXY_STATUS_PATH",
        value_parser = page("pm.status_path", "/status")
    )]
    pub status_path: Option<String>,

    /// Where the status page is asked (the pool's pm.status_listen, which answers when all workers are busy, too)
    /// [default: as --fastcgi]; repeatable, or separated by commas
    #[arg(
        long,
        value_name = "URL",
        env = "GRPC_FCGI_PROXY_STATUS_FASTCGI",
        value_delimiter = ',',
        requires = "status_path"
    )]
    pub status_fastcgi: Vec<Target>,
}

impl StatusFlags {
    /// The pages, of pools that take calls at `fastcgi`.
    #[must_use]
    pub fn pages(&self, fastcgi: &[Target]) -> Vec<StatusPage> {
        let Some(path) = &self.status_path else {
            return Vec::new();
        };
        let targets = match self.status_fastcgi.as_slice() {
            [] => fastcgi,
            given => given,
        };
        targets
            .iter()
            .map(|target| StatusPage {
                target: target.clone(),
                path: path.clone(),
            })
            .collect()
    }
}
