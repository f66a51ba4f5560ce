//! The system's limits on the process, and what the flags may need.

use std::thread;

use anyhow::ensure;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::admin::{MAX_AUX_CONNECTIONS, MAX_AUX_EXCHANGES};
use crate::config::{CommandLine, Config};

/// The connections that watch a target: the probe, an attempt to connect again, and the status page.
const OF_A_TARGET: usize = 3;
/// A resident worker: its connection and its FastCGI request, and those of its predecessor.
const OF_A_WORKER: usize = 4;
/// The runtime of a serving thread.
const OF_A_THREAD: usize = 4;
/// What the proxy cannot start without.
const MIN_FILES: usize = 16;
/// The same in bytes of virtual memory.
const MIN_MEMORY: usize = 192 * 1024 * 1024;
/// Of each thread.
const STACK: usize = 2 * 1024 * 1024;
/// What the C library's allocator reserves for a thread, but for at most eight threads of each processor (mallopt(3),
/// M_ARENA_MAX).
const ARENA: usize = 64 * 1024 * 1024;
const ARENAS_OF_A_PROCESSOR: usize = 8;
/// Standard streams, listeners, the first runtime, files that are read again, lookups.
const OTHERS: usize = 32;

/// Raises the soft limit on file descriptors to the hard one. Nothing inherits it, since the proxy starts no program.
///
/// # Errors
///
/// If the proxy could not even start: the runtime would panic, or the allocator end the process.
pub fn prepare(line: &CommandLine) -> anyhow::Result<()> {
    let threads = match line {
        CommandLine::Serve(config) => config.threads(),
        CommandLine::Check(_) | CommandLine::Health(_) => 0,
    };
    let files = MIN_FILES + threads * OF_A_THREAD;
    raise(Resource::RLIMIT_NOFILE);
    let limit = soft_limit(Resource::RLIMIT_NOFILE);
    ensure!(
        limit >= files,
        "the limit on file descriptors is {limit}, but {threads} serving threads need at least {files}: raise the hard \
         limit (ulimit -Hn, LimitNOFILE)"
    );
    // Less may do, or end the process at some allocation.
    let arenas = ARENAS_OF_A_PROCESSOR * thread::available_parallelism().map_or(1, usize::from);
    let memory = MIN_MEMORY + threads * STACK + threads.min(arenas) * ARENA;
    let limit = soft_limit(Resource::RLIMIT_AS);
    ensure!(
        limit >= memory,
        "the limit on virtual memory is {limit} bytes, but {threads} serving threads need at least {memory}: raise it \
         (ulimit -v, LimitAS), or lower --threads"
    );
    Ok(())
}

fn raise(resource: Resource) {
    // A limit that cannot be raised may suffice.
    if let Ok((soft, hard)) = getrlimit(resource)
        && soft < hard
    {
        let _ = setrlimit(resource, hard, hard);
    }
}

fn soft_limit(resource: Resource) -> usize {
    let limit = getrlimit(resource).map_or(u64::MAX, |(soft, _)| soft);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// What the flags may need, and what the system allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    /// The limit of the process.
    pub(crate) limit: usize,
    /// For everything but client connections.
    reserve: usize,
    max_connections: usize,
}

impl OpenFiles {
    pub(crate) fn new(config: &Config, targets: usize) -> Self {
        Self::within(soft_limit(Resource::RLIMIT_NOFILE), config, targets)
    }

    fn within(limit: usize, config: &Config, targets: usize) -> Self {
        let residents = config.resident.workers() * config.resident_scripts().len();
        let of_a_target = config.fastcgi.max_exchanges + OF_A_TARGET + residents * OF_A_WORKER;
        Self {
            limit,
            reserve: targets * of_a_target
                + config.threads() * OF_A_THREAD
                + MAX_AUX_CONNECTIONS
                + MAX_AUX_EXCHANGES
                + OTHERS,
            max_connections: config.clients.max_connections,
        }
    }

    /// How many the flags may need.
    pub(crate) fn needed(&self) -> usize {
        self.reserve + self.max_connections
    }

    /// How many client connections may be open, so that php-fpm and the auxiliary server have their share: up to
    /// `--max-connections`, and at least half of the limit.
    pub(crate) fn connections(&self) -> usize {
        let rest = self.limit.saturating_sub(self.reserve);
        rest.max(self.limit / 2).clamp(1, self.max_connections)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn client_connections_leave_file_descriptors_for_the_rest() {
        let flags = ["grpc-fcgi-proxy", "--threads", "2", "/app/index.php"];
        let config = Config::parse_from(flags);
        // 2 targets with 8 exchanges, 2 threads.
        let reserve = 2 * (8 + 3) + 2 * 4 + 64 + 2 + 32;
        let table = [
            (usize::MAX, 1024),
            (1024 + reserve, 1024),
            (1023 + reserve, 1023),
            (1024, 1024 - reserve),
            (100, 50),
            (1, 1),
        ];
        for (limit, connections) in table {
            let files = OpenFiles::within(limit, &config, 2);
            assert_eq!(files.connections(), connections, "{limit}");
            assert_eq!(files.needed(), 1024 + reserve);
        }
    }
}
