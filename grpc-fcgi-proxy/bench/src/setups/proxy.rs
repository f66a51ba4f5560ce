//! grpc-fcgi-proxy itself, started as by a user.

use std::path::Path;

use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;

use super::address::{accepts, free_address};
use super::backend::{Backend, WORKERS};
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
    let arguments = arguments(paths, &address, fastcgi, setup, backend, exchanges);
    let process = run(paths, files, &paths.proxy, &arguments, &address)?;
    Ok((process, address))
}

/// The same by Callgrind, which writes the instructions of the process into this file at its end.
pub(super) fn start_counting(
    paths: &Paths,
    files: &str,
    fastcgi: &Address,
    setup: Setup,
    counts: &Path,
) -> anyhow::Result<(Process, Address)> {
    let address = free_address()?;
    let mut counting = vec![
        "--tool=callgrind".to_owned(),
        format!("--callgrind-out-file={}", text(counts)),
        text(&paths.proxy),
    ];
    let backend = Backend::PhpFpm;
    counting.extend(arguments(paths, &address, fastcgi, setup, backend, WORKERS));
    let process = run(paths, files, "valgrind".as_ref(), &counting, &address)?;
    Ok((process, address))
}

fn arguments(
    paths: &Paths,
    address: &Address,
    fastcgi: &Address,
    setup: Setup,
    backend: Backend,
    exchanges: usize,
) -> Vec<String> {
    let echo = paths.root.join("php/fixtures/stream_echo.php");
    let mut flags = usual(paths, address, fastcgi, exchanges);
    let mut switches = Vec::new();
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
    if setup.front_ends {
        flags.push(("--descriptor-set", text(&paths.item_descriptors())));
        switches.extend(["--connect", "--grpc-web", "--rest"]);
    }
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
    let mut arguments = flat(flags);
    arguments.extend(switches.into_iter().map(str::to_owned));
    arguments.push(text(&paths.script(backend)));
    arguments
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
    let mut arguments = flat(flags);
    arguments.push(text(&paths.script(Backend::Counted)));
    let process = run(paths, files, &paths.proxy, &arguments, &address)?;
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

fn flat(flags: Vec<(&'static str, String)>) -> Vec<String> {
    let flags = flags.into_iter();
    flags
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect()
}

fn run(
    paths: &Paths,
    files: &str,
    program: &Path,
    arguments: &[String],
    address: &Address,
) -> anyhow::Result<Process> {
    let mut process = Process::start(&paths.folder, files, program, arguments)?;
    process.wait_until(|| accepts(address))?;
    Ok(process)
}

/// Without the scheme.
pub(super) fn strip(address: &Address) -> String {
    let url = address.to_string();
    url.trim_start_matches("tcp://").to_owned()
}
