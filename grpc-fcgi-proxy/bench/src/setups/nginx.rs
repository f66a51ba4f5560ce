//! nginx: HTTP/1.1 in front, FastCGI behind.

use std::fs;

use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;

use super::address::{accepts, free_address};
use super::backend::{Backend, WORKERS};
use super::paths::{Paths, text};
use super::process::Process;
use super::setup::Transport;

/// Idle connections that each process keeps.
const KEPT: usize = 256;

pub(super) fn start(
    paths: &Paths,
    files: &str,
    fastcgi: &Address,
    transport: Transport,
    backend: Backend,
) -> anyhow::Result<(Process, Address)> {
    let address = free_address()?;
    let config = paths.folder.join(format!("{files}-nginx.conf"));
    fs::write(
        &config,
        configuration(paths, files, &address, fastcgi, transport, backend),
    )?;
    let arguments = [
        "-c".to_owned(),
        text(&config),
        "-g".to_owned(),
        "daemon off;".to_owned(),
    ];
    let name = format!("{files}-nginx");
    let mut process = Process::start(&paths.folder, &name, &paths.nginx, &arguments)?;
    process.wait_until(|| accepts(&address))?;
    Ok((process, address))
}

/// Tuned for speed: no log, no temporary files, kept connections.
fn configuration(
    paths: &Paths,
    files: &str,
    listen: &Address,
    fastcgi: &Address,
    transport: Transport,
    backend: Backend,
) -> String {
    let server = match fastcgi {
        Address::Tcp(address) => address.clone(),
        Address::Unix(path) => format!("unix:{}", path.display()),
    };
    let listen = listen.to_string();
    let folder = paths.folder.display();
    // A kept connection pins a php-fpm worker: with several processes each would pin workers that the others need.
    let (processes, idle) = match backend {
        Backend::Trivial => ("auto", KEPT),
        _ => ("1", WORKERS),
    };
    let keep = if transport == Transport::Kept {
        (
            format!("keepalive {idle}; keepalive_requests 100000000;"),
            "fastcgi_keep_conn on;",
        )
    } else {
        (String::new(), "")
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{files}-{kind};\n"))
        .concat();
    let user = &paths.user;
    let variables = variables(&text(&paths.script(backend)));
    format!(
        "user {user};\nworker_processes {processes};\npid {folder}/{files}-nginx.pid;\nerror_log stderr;\n\
         worker_rlimit_nofile 16384;\nevents {{ worker_connections 8192; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 100000000;\nclient_max_body_size 0;\n\
         client_body_buffer_size 2m;\nfastcgi_max_temp_file_size 0;\nfastcgi_buffers 64 32k;\n{temporary}\
         upstream application {{ server {server}; {} }}\n\
         server {{\nlisten {} backlog=4096 reuseport;\nlocation / {{\nfastcgi_pass application;\n{}\n{variables}}}\n}}\n}}\n",
        keep.0,
        listen.trim_start_matches("tcp://"),
        keep.1,
    )
}

/// Debian's fastcgi_params, and the variable that php/grpc-server needs.
fn variables(script: &str) -> String {
    [
        ("QUERY_STRING", "$query_string"),
        ("REQUEST_METHOD", "$request_method"),
        ("CONTENT_TYPE", "$content_type"),
        ("CONTENT_LENGTH", "$content_length"),
        ("SCRIPT_FILENAME", script),
        ("SCRIPT_NAME", "$fastcgi_script_name"),
        ("REQUEST_URI", "$request_uri"),
        ("DOCUMENT_URI", "$document_uri"),
        ("DOCUMENT_ROOT", "$document_root"),
        ("SERVER_PROTOCOL", "$server_protocol"),
        ("REQUEST_SCHEME", "$scheme"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", "nginx/$nginx_version"),
        ("REMOTE_ADDR", "$remote_addr"),
        ("REMOTE_PORT", "$remote_port"),
        ("SERVER_ADDR", "$server_addr"),
        ("SERVER_PORT", "$server_port"),
        ("SERVER_NAME", "$server_name"),
        ("GRPC_CALL_KIND", "unary"),
    ]
    .map(|(name, value)| format!("fastcgi_param {name} {value};\n"))
    .concat()
}
