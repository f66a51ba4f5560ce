//! Resident workers: a script that boots once and serves many calls.

mod boot;
mod ends;
mod limits;
mod placement;
mod replacement;

use std::collections::HashSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::process::Command;
use tonic::Code;

use crate::support::{Client, PhpFpm, Proxy, StreamingCall, descriptors, php};

/// A pool with room for two resident workers and their successors.
const POOL: &str = "pm.max_children = 4\n[global]\nprocess_control_timeout = 10s\n[test]\n";
/// A streaming call that outlasted its worker, or that ends with it.
const REPLACED: &str = "the application's worker is being replaced";

async fn serve(pool: &str, flags: &[&str]) -> (PhpFpm, Proxy, Client) {
    let php_fpm = PhpFpm::start_with(pool).await;
    let (proxy, client) = proxy(&php_fpm, flags).await;
    (php_fpm, proxy, client)
}

async fn proxy(php_fpm: &PhpFpm, flags: &[&str]) -> (Proxy, Client) {
    let flags = [&["--resident-workers", "2"], flags].concat();
    proxy_for(php_fpm, &php("fixtures/resident.php"), &flags).await
}

/// The same for another script, with as many workers as the flags say.
async fn proxy_for(php_fpm: &PhpFpm, script: &Path, flags: &[&str]) -> (Proxy, Client) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), descriptors::test_service()).unwrap();
    let own = ["--descriptor-set", file.path().to_str().unwrap()];
    let flags = [&own, flags].concat();
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await;
    let client = Client::connect(proxy.address).await;
    (proxy, client)
}

/// systemd's RuntimeDirectory has the name of the program.
#[tokio::test]
async fn the_socket_fits_into_a_folder_with_a_long_name() {
    let php_fpm = PhpFpm::start_with(POOL).await;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("of-the-grpc-fcgi-proxy");
    std::fs::create_dir(&folder).unwrap();
    for each in [parent.path(), &folder] {
        std::fs::set_permissions(each, Permissions::from_mode(0o711)).unwrap();
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
    program.env("RUNTIME_DIRECTORY", &folder);
    let script = php("fixtures/resident.php");
    let flags = ["--resident-workers", "1"];
    let proxy = Proxy::start_by(program, &php_fpm.url(), script.to_str().unwrap(), &flags).await;
    booted(&php_fpm, &proxy, 1).await;
}

/// Waits until this number of workers have booted, or more: a reload ends one that boots as it begins, too.
async fn booted(php_fpm: &PhpFpm, proxy: &Proxy, count: usize) {
    let name = boots(php_fpm, &php("fixtures/resident.php"), "ready");
    let count = u32::try_from(count).unwrap();
    proxy.metric_reaches(&name, count.into()).await;
}

fn boots(php_fpm: &PhpFpm, script: &Path, outcome: &str) -> String {
    let (script, target) = (script.display(), php_fpm.url());
    format!(r#"resident_boots_total{{outcome="{outcome}",script="{script}",target="{target}"}}"#)
}

fn retirements(reason: &str) -> String {
    format!(r#"resident_retirements_total{{reason="{reason}"}}"#)
}

/// A `google.protobuf.StringValue`.
fn value(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 128);
    [&[0x0a, length], text.as_bytes()].concat()
}

fn text(message: &[u8]) -> String {
    let text = message.get(2..).unwrap_or_default();
    String::from_utf8(text.to_vec()).unwrap()
}

async fn begun(stream: StreamingCall) -> StreamingCall {
    let mut stream = stream;
    stream.send(&value("begun"));
    assert_eq!(text(&stream.next().await.unwrap()), "begun");
    stream
}

async fn call(client: &Client, command: &str) -> String {
    text(client.call(&value(command), &[]).await.content())
}

async fn status(client: &Client, command: &str, metadata: &[(&str, &str)]) -> Code {
    client.call(&value(command), metadata).await.status().0
}

#[tokio::test]
async fn calls_of_every_kind_run_in_the_workers() {
    let (_php_fpm, proxy, client) = serve(POOL, &[]).await;
    let mut processes = HashSet::new();
    for _ in 0..20 {
        processes.insert(call(&client, "pid").await);
    }
    assert!(processes.len() <= 2, "{processes:?}");
    let mut stream = client.stream("ServerStream", &[]);
    stream.send(&value("3"));
    stream.half_close();
    for expected in ["0", "1", "2"] {
        assert_eq!(text(&stream.next().await.unwrap()), expected);
    }
    assert_eq!(stream.status().await.0, Code::Ok);
    let mut stream = client.stream("ClientStream", &[]);
    stream.send(&value("one"));
    stream.send(&value("two"));
    stream.half_close();
    assert_eq!(text(&stream.next().await.unwrap()), "6");
    assert_eq!(stream.status().await.0, Code::Ok);
    assert!((proxy.metric("fcgi_exchanges_running").await).abs() < f64::EPSILON);
}

#[tokio::test]
async fn two_workers_hold_500_streams() {
    let (_php_fpm, proxy, client) = serve(POOL, &["--connection-share", "100"]).await;
    let mut streams: Vec<_> = (0..500).map(|_| client.stream("BidiStream", &[])).collect();
    for round in 0..3 {
        for (number, stream) in streams.iter().enumerate() {
            stream.send(&value(&format!("{round} {number}")));
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            let answer = stream.next().await.unwrap();
            assert_eq!(text(&answer), format!("{round} {number}"));
        }
    }
    let running = r#"resident_calls_running{kind="stream"}"#;
    proxy.metric_becomes(running, 500.0).await;
    // Unary calls run beside them.
    assert_eq!(call(&client, "beside").await, "beside");
    let (mut ended, dropped) = (streams.split_off(250), streams);
    drop(dropped);
    for stream in &mut ended {
        stream.half_close();
        assert_eq!(stream.status().await.0, Code::Ok);
    }
    proxy.metric_becomes(running, 0.0).await;
}

#[tokio::test]
async fn a_large_message_passes_both_ways() {
    let (_php_fpm, _proxy, client) = serve(POOL, &[]).await;
    let large = "x".repeat(3_000_000);
    let prefix = [0x0a, 0xc0, 0x8d, 0xb7, 0x01];
    let request = [&prefix[..], large.as_bytes()].concat();
    assert_eq!(client.call(&request, &[]).await.content(), request);
    let mut stream = client.stream("BidiStream", &[]);
    for _ in 0..3 {
        stream.send(&request);
        assert_eq!(stream.next().await.unwrap(), request);
    }
    stream.half_close();
    assert_eq!(stream.status().await.0, Code::Ok);
}

#[tokio::test]
async fn an_expired_deadline_ends_the_call_but_not_its_worker() {
    let php_fpm = PhpFpm::start_with(POOL).await;
    let (script, flags) = (php("fixtures/resident.php"), ["--resident-workers", "1"]);
    let (proxy, client) = proxy_for(&php_fpm, &script, &flags).await;
    let before = call(&client, "boot").await;
    let metadata = [("grpc-timeout", "100m")];
    assert_eq!(
        status(&client, "hold 0.5", &metadata).await,
        Code::DeadlineExceeded
    );
    let mut stream = client.stream("BidiStream", &metadata);
    assert_eq!(stream.status().await.0, Code::DeadlineExceeded);
    for kind in ["unary", "stream"] {
        let running = format!("resident_calls_running{{kind=\"{kind}\"}}");
        proxy.metric_becomes(&running, 0.0).await;
    }
    assert_eq!(call(&client, "boot").await, before);
    assert!(
        (proxy
            .metric(r#"resident_retirements_total{reason="stuck"}"#)
            .await)
            .abs()
            < 0.1
    );
}

#[tokio::test]
async fn the_log_names_the_call() {
    let (_php_fpm, mut proxy, client) = serve(POOL, &[]).await;
    let metadata = [("x-request-id", "the-call")];
    assert_eq!(status(&client, "exit", &metadata).await, Code::Unknown);
    let record = proxy
        .logged(|record| record["message"].as_str().unwrap().contains("called exit"))
        .await;
    assert_eq!(record["request_id"], "the-call");
    assert_eq!(record["path"], "/test.Service/Method");
}

#[tokio::test]
async fn the_last_message_of_a_worker_is_logged_while_it_stays() {
    let (_php_fpm, mut proxy, client) = serve(POOL, &[]).await;
    for message in ["first message", "last message"] {
        call(&client, &format!("log {message}")).await;
        let record = proxy.logged(|record| record["message"] == message).await;
        assert_eq!(record["target"], "application");
    }
}

#[tokio::test]
async fn workers_connect_over_tcp() {
    let php_fpm = PhpFpm::start_on_tcp_with(POOL).await;
    let flags = ["--resident-address", "tcp://0.0.0.0:0"];
    let (_proxy, client) = proxy(&php_fpm, &flags).await;
    assert_eq!(call(&client, "over TCP").await, "over TCP");
}

#[tokio::test]
async fn a_php_fpm_that_is_down_does_not_stop_the_others() {
    let (mut first, second) = (
        PhpFpm::start_with(POOL).await,
        PhpFpm::start_with(POOL).await,
    );
    let (proxy, client) = proxy(&first, &["--fastcgi", &second.url()]).await;
    booted(&first, &proxy, 2).await;
    booted(&second, &proxy, 2).await;
    first.stop().await;
    for _ in 0..20 {
        // One may be in a worker that is being stopped.
        let _ = status(&client, "pid", &[]).await;
    }
    for _ in 0..20 {
        call(&client, "pid").await;
    }
    first.start_again().await;
    booted(&first, &proxy, 4).await;
}

#[tokio::test]
async fn an_idle_stream_takes_little_memory() {
    const STREAMS: u64 = 2000;
    let flags = [
        "--connection-share",
        "100",
        "--max-calls",
        "5000",
        "--max-concurrent-streams",
        "5000",
    ];
    let (_php_fpm, proxy, client) = serve(POOL, &flags).await;
    let mut first = client.stream("BidiStream", &[]);
    first.send(&value("begun"));
    first.next().await.unwrap();
    let before = proxy.peak_memory();
    let mut streams: Vec<_> = (1..STREAMS)
        .map(|_| client.stream("BidiStream", &[]))
        .collect();
    for stream in &streams {
        stream.send(&value("begun"));
    }
    for stream in &mut streams {
        assert_eq!(text(&stream.next().await.unwrap()), "begun");
    }
    // 11 in a release.
    let each = (proxy.peak_memory() - before) / STREAMS;
    assert!(each <= 24, "{each} KiB");
}
