//! The programs that answer (the trivial application, php-fpm, the tonic server), and the relay.

use std::env;
use std::fs;

use anyhow::Context;
use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;

use super::address::{accepts, free_address};
use super::backend::Backend;
use super::paths::{Paths, text};
use super::process::Process;
use super::setup::Transport;

/// Starts an application on this address.
pub(super) fn start(
    paths: &Paths,
    transport: Transport,
    backend: Backend,
    files: &str,
    listen: &Address,
    workers: usize,
) -> anyhow::Result<Process> {
    match backend {
        Backend::Trivial => trivial(paths, files, listen),
        _ => php_fpm(paths, transport, backend, files, listen, workers),
    }
}

/// This program, as the trivial application.
fn trivial(paths: &Paths, files: &str, listen: &Address) -> anyhow::Result<Process> {
    let name = format!("{files}-application");
    let arguments = ["application".to_owned(), listen.to_string()];
    let mut process = Process::start(&paths.folder, &name, &env::current_exe()?, &arguments)?;
    process.wait_until(|| accepts(listen))?;
    Ok(process)
}

/// This program, as the tonic server.
pub(super) fn tonic(paths: &Paths, files: &str) -> anyhow::Result<(Process, Address)> {
    serving(paths, files, "tonic", &[])
}

/// This program, as a relay to this address.
pub(super) fn relay(
    paths: &Paths,
    files: &str,
    to: &Address,
) -> anyhow::Result<(Process, Address)> {
    serving(paths, files, "relay", &[to.to_string()])
}

/// This program, with a command whose first argument is the address to listen on.
fn serving(
    paths: &Paths,
    files: &str,
    command: &str,
    more: &[String],
) -> anyhow::Result<(Process, Address)> {
    let address = free_address()?;
    let Address::Tcp(listen) = &address else {
        anyhow::bail!("a free address is a TCP address");
    };
    let arguments = [&[command.to_owned(), listen.clone()], more].concat();
    let mut process = Process::start(&paths.folder, files, &env::current_exe()?, &arguments)?;
    process.wait_until(|| accepts(&address))?;
    Ok((process, address))
}

/// php-fpm with the item application's own pool, as changed by [`pool_lines`].
fn php_fpm(
    paths: &Paths,
    transport: Transport,
    backend: Backend,
    files: &str,
    listen: &Address,
    workers: usize,
) -> anyhow::Result<Process> {
    let config = paths.folder.join(format!("{files}-php-fpm.conf"));
    let pool = fs::read_to_string(paths.php(backend).join("item/php-fpm.conf"))?;
    fs::write(&config, pool_lines(&pool, paths, backend, listen, workers)?)?;
    let mut arguments = [
        "--nodaemonize",
        "--allow-to-run-as-root",
        "--force-stderr",
        "--fpm-config",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([text(&config)])
    .collect::<Vec<_>>();
    let mut settings = preloading(paths, backend);
    if transport == Transport::ResidentJit {
        settings.extend(["opcache.jit_buffer_size=16M", "opcache.jit=tracing"].map(str::to_owned));
    }
    let defined = settings.into_iter();
    arguments.extend(defined.flat_map(|setting| ["--define".to_owned(), setting]));
    let name = format!("{files}-php-fpm");
    let mut process = Process::start(&paths.folder, &name, "php-fpm8.2".as_ref(), &arguments)?;
    process.wait_until(|| accepts(listen))?;
    Ok(process)
}

/// Earlier revisions have nothing to preload.
fn preloading(paths: &Paths, backend: Backend) -> Vec<String> {
    let script = paths.php(backend).join("item/preload.php");
    if !script.exists() {
        return Vec::new();
    }
    vec![
        format!("opcache.preload={}", text(&script)),
        // PHP requires it of root only.
        format!("opcache.preload_user={}", paths.user),
    ]
}

/// The pool, with the lines changed that a measurement needs.
fn pool_lines(
    pool: &str,
    paths: &Paths,
    backend: Backend,
    listen: &Address,
    workers: usize,
) -> anyhow::Result<String> {
    let listen = match listen {
        Address::Tcp(address) => address.clone(),
        Address::Unix(path) => text(path),
    };
    let changed = [
        ("listen", listen),
        // The default for a Unix socket, 511, is less than the callers of some measurements.
        ("listen.backlog", "4096".to_owned()),
        ("pm.max_children", workers.to_string()),
        // A kept connection loses calls when its worker ends.
        ("pm.max_requests", "0".to_owned()),
        // A resident worker runs one request for its life.
        ("request_terminate_timeout", "0".to_owned()),
        ("user", paths.user.clone()),
        (
            "env[ITEM_DSN]",
            format!("sqlite:{}", text(&paths.database(backend))),
        ),
    ];
    let dropped = [
        "listen.allowed_clients",
        "pm.status_listen",
        "env[ITEM_DB_USER]",
        "env[ITEM_DB_PASSWORD]",
        "env[ITEM_CALL_LOG]",
    ];
    let name = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let keep = |line: &&str| {
        let name = name(line);
        !dropped.contains(&&*name) && changed.iter().all(|(key, _)| *key != name)
    };
    let (global, item) = pool
        .split_once("[item]\n")
        .context("the configuration has no pool [item]")?;
    let mut lines: Vec<String> = changed
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    lines.extend(item.lines().filter(keep).map(str::to_owned));
    Ok(format!("{global}[item]\n{}\n", lines.join("\n")))
}
