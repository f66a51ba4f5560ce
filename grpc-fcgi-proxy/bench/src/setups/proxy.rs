//! grpc-fcgi-proxy itself, started as by a user.

use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;

use super::address::{accepts, free_address};
use super::backend::Backend;
use super::paths::{Paths, text};
use super::process::Process;
use super::setup::{Setup, Transport};

pub(super) fn start(
    paths: &Paths,
    files: &str,
    fastcgi: &Address,
    setup: Setup,
    backend: Backend,
    exchanges: usize,
) -> anyhow::Result<(Process, Address)> {
    let address = free_address()?;
    let echo = paths.root.join("php/fixtures/stream_echo.php");
    let mut flags = usual(paths, &address, fastcgi, exchanges);
    let kept = setup.transport == Transport::Kept;
    flags.extend([
        ("--aux-address", "127.0.0.1:0".to_owned()),
        ("--max-streams", exchanges.to_string()),
        (
            "--fastcgi-keep-alive",
            if kept { "60s" } else { "0s" }.to_owned(),
        ),
        ("--drain-timeout", "0s".to_owned()),
    ]);
    if setup.transport.is_resident() {
        flags.extend([
            ("--resident-workers", exchanges.to_string()),
            ("--resident-streams", "4096".to_owned()),
        ]);
    } else if matches!(backend, Backend::Trivial | Backend::PhpFpm) {
        flags.push((
            "--route",
            format!("grpc.testing.TestService={}", text(&echo)),
        ));
    }
    let process = run(paths, files, backend, flags, &address)?;
    Ok((process, address))
}

/// With resident workers that are recycled; and `/metrics` at this address.
pub(super) fn start_recycling(
    paths: &Paths,
    files: &str,
    fastcgi: &Address,
    metrics: &Address,
    workers: usize,
) -> anyhow::Result<(Process, Address)> {
    let address = free_address()?;
    let mut flags = usual(paths, &address, fastcgi, workers);
    flags.extend([
        ("--aux-address", strip(metrics)),
        ("--max-stream-wait", "60s".to_owned()),
        ("--connection-share", "100".to_owned()),
        ("--resident-workers", workers.to_string()),
        ("--resident-max-calls", "5000".to_owned()),
    ]);
    let process = run(paths, files, Backend::Counted, flags, &address)?;
    Ok((process, address))
}

fn usual(
    paths: &Paths,
    address: &Address,
    fastcgi: &Address,
    exchanges: usize,
) -> Vec<(&'static str, String)> {
    let descriptors = paths
        .root
        .join("php/interop/generated/descriptor-set.binpb");
    vec![
        ("--address", strip(address)),
        ("--fastcgi", fastcgi.to_string()),
        ("--max-exchanges", exchanges.to_string()),
        // Callers wait for workers: no call may be refused.
        ("--max-waiting", "20000".to_owned()),
        ("--max-wait", "60s".to_owned()),
        ("--max-calls", "20000".to_owned()),
        ("--max-connections", "4096".to_owned()),
        ("--descriptor-set", text(&descriptors)),
    ]
}

fn run(
    paths: &Paths,
    files: &str,
    backend: Backend,
    flags: Vec<(&'static str, String)>,
    address: &Address,
) -> anyhow::Result<Process> {
    let mut arguments: Vec<String> = flags
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect();
    arguments.push(text(&paths.script(backend)));
    let mut process = Process::start(&paths.folder, files, &paths.proxy, &arguments)?;
    process.wait_until(|| accepts(address))?;
    Ok(process)
}

/// Without the scheme.
pub(super) fn strip(address: &Address) -> String {
    let url = address.to_string();
    url.trim_start_matches("tcp://").to_owned()
}
