//! What answers in the end: the trivial application, php-fpm, and the tonic server; and the relay, which answers nothing.

use std::env;
use std::fs;

use anyhow::Context;
use grpc_fcgi_proxy::fcgi::target::Target as Address;

use super::{Backend, Places, Process, WORKERS, accepts, free_address, text};

/// Starts the application behind a target, on this address.
pub(super) fn start(
    places: &Places,
    backend: Backend,
    files: &str,
    listen: &Address,
) -> anyhow::Result<Process> {
    match backend {
        Backend::Trivial => trivial(places, files, listen),
        Backend::PhpFpm | Backend::PhpFpmBefore => php_fpm(places, backend, files, listen),
    }
}

/// This very program, as the trivial application.
fn trivial(places: &Places, files: &str, listen: &Address) -> anyhow::Result<Process> {
    let name = format!("{files}-application");
    let arguments = ["application".to_owned(), listen.to_string()];
    let mut process = Process::start(&places.folder, &name, &env::current_exe()?, &arguments)?;
    process.wait_until(|| accepts(listen))?;
    Ok(process)
}

/// This very program, as the tonic server.
pub(super) fn tonic(places: &Places, files: &str) -> anyhow::Result<(Process, Address)> {
    serving(places, files, "tonic", &[])
}

/// This very program, as a relay to this address.
pub(super) fn relay(
    places: &Places,
    files: &str,
    to: &Address,
) -> anyhow::Result<(Process, Address)> {
    serving(places, files, "relay", &[to.to_string()])
}

/// This very program with a command that takes an address to listen on first.
fn serving(
    places: &Places,
    files: &str,
    command: &str,
    more: &[String],
) -> anyhow::Result<(Process, Address)> {
    let address = free_address()?;
    let Address::Tcp(listen) = &address else {
        anyhow::bail!("a free address is one of TCP");
    };
    let arguments = [&[command.to_owned(), listen.clone()], more].concat();
    let mut process = Process::start(&places.folder, files, &env::current_exe()?, &arguments)?;
    process.wait_until(|| accepts(&address))?;
    Ok((process, address))
}

/// The item application's own pool, but for where it listens and the number of its workers.
fn php_fpm(
    places: &Places,
    backend: Backend,
    files: &str,
    listen: &Address,
) -> anyhow::Result<Process> {
    let config = places.folder.join(format!("{files}-php-fpm.conf"));
    let pool = fs::read_to_string(places.php(backend).join("item/php-fpm.conf"))?;
    fs::write(&config, pool_lines(&pool, places, listen)?)?;
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
    arguments.extend(preloading(places, backend));
    let name = format!("{files}-php-fpm");
    let mut process = Process::start(&places.folder, &name, "php-fpm8.2".as_ref(), &arguments)?;
    process.wait_until(|| accepts(listen))?;
    Ok(process)
}

/// As each revision is started: earlier ones have nothing to preload.
fn preloading(places: &Places, backend: Backend) -> Vec<String> {
    let script = places.php(backend).join("item/preload.php");
    if !script.exists() {
        return Vec::new();
    }
    [
        format!("opcache.preload={}", text(&script)),
        // Only root has to name one.
        format!("opcache.preload_user={}", places.user),
    ]
    .into_iter()
    .flat_map(|setting| ["--define".to_owned(), setting])
    .collect()
}

/// The pool with the lines changed that a measurement needs to be different.
fn pool_lines(pool: &str, places: &Places, listen: &Address) -> anyhow::Result<String> {
    let listen = match listen {
        Address::Tcp(address) => address.clone(),
        Address::Unix(path) => text(path),
    };
    let changed = [
        ("listen", listen),
        // The default of a Unix socket is 511, less than some measurements have callers.
        ("listen.backlog", "4096".to_owned()),
        ("pm.max_children", WORKERS.to_string()),
        // A kept connection would lose calls when its worker ends.
        ("pm.max_requests", "0".to_owned()),
        ("user", places.user.clone()),
        (
            "env[ITEM_DSN]",
            format!("sqlite:{}", text(&places.folder.join("item.sqlite"))),
        ),
    ];
    let left_out = [
        "listen.allowed_clients",
        "pm.status_listen",
        "env[ITEM_DB_USER]",
        "env[ITEM_DB_PASSWORD]",
        "env[ITEM_CALL_LOG]",
    ];
    let name = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let keep = |line: &&str| {
        let name = name(line);
        !left_out.contains(&&*name) && changed.iter().all(|(key, _)| *key != name)
    };
    let (global, item) = pool
        .split_once("[item]\n")
        .context("the pool is not called [item]")?;
    let mut lines: Vec<String> = changed
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    lines.extend(item.lines().filter(keep).map(str::to_owned));
    Ok(format!("{global}[item]\n{}\n", lines.join("\n")))
}
