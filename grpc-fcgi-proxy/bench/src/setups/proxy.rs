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
    let descriptors = paths
        .root
        .join("php/interop/generated/descriptor-set.binpb");
    let echo = paths.root.join("php/fixtures/stream_echo.php");
    let mut arguments: Vec<String> = [
        ("--address", strip(&address)),
        ("--aux-address", "127.0.0.1:0".to_owned()),
        ("--fastcgi", fastcgi.to_string()),
        ("--max-exchanges", exchanges.to_string()),
        ("--max-streams", exchanges.to_string()),
        // Callers wait for workers: no call may be refused.
        ("--max-waiting", "20000".to_owned()),
        ("--max-wait", "60s".to_owned()),
        ("--max-calls", "20000".to_owned()),
        ("--max-connections", "4096".to_owned()),
        (
            "--fastcgi-keep-alive",
            if setup.transport == Transport::Kept {
                "60s"
            } else {
                "0s"
            }
            .to_owned(),
        ),
        ("--descriptor-set", text(&descriptors)),
        ("--drain-timeout", "0s".to_owned()),
    ]
    .into_iter()
    .flat_map(|(flag, value)| [flag.to_owned(), value])
    .collect();
    if setup.transport == Transport::Resident {
        arguments.extend([
            "--resident-workers".to_owned(),
            exchanges.to_string(),
            "--resident-streams".to_owned(),
            "4096".to_owned(),
        ]);
    } else if matches!(backend, Backend::Trivial | Backend::PhpFpm) {
        arguments.extend([
            "--route".to_owned(),
            format!("grpc.testing.TestService={}", text(&echo)),
        ]);
    }
    arguments.push(text(&paths.script(backend)));
    let mut process = Process::start(&paths.folder, files, &paths.proxy, &arguments)?;
    process.wait_until(|| accepts(&address))?;
    Ok((process, address))
}

fn strip(address: &Address) -> String {
    let url = address.to_string();
    url.trim_start_matches("tcp://").to_owned()
}
