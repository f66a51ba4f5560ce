//! Resident workers: a script that boots once and serves many calls.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tonic::Code;

use crate::support::{Client, PhpFpm, Proxy, descriptors, message, php};

/// A pool with room for two resident workers and their successors.
const POOL: &str = "pm.max_children = 4\n[global]\nprocess_control_timeout = 10s\n[test]\n";

async fn serve(pool: &str, flags: &[&str]) -> (PhpFpm, Proxy, Client) {
    let php_fpm = PhpFpm::start_with(pool).await;
    let (proxy, client) = proxy(&php_fpm, flags).await;
    (php_fpm, proxy, client)
}

async fn proxy(php_fpm: &PhpFpm, flags: &[&str]) -> (Proxy, Client) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), descriptors::test_service()).unwrap();
    let own = [
        "--descriptor-set",
        file.path().to_str().unwrap(),
        "--resident-workers",
        "2",
    ];
    let script = php("fixtures/resident.php");
    let flags = [&own, flags].concat();
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await;
    let client = Client::connect(proxy.address).await;
    (proxy, client)
}

/// Waits until this number of workers have booted.
async fn booted(php_fpm: &PhpFpm, proxy: &Proxy, count: usize) {
    let name = format!(
        "resident_boots_total{{outcome=\"ready\",script=\"{}\",target=\"{}\"}}",
        php("fixtures/resident.php").display(),
        php_fpm.url()
    );
    let count = u32::try_from(count).unwrap();
    proxy.metric_becomes(&name, count.into()).await;
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
    let (_php_fpm, proxy, client) = serve(POOL, &[]).await;
    let before = [call(&client, "pid").await, call(&client, "pid").await];
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
    assert!(before.contains(&call(&client, "pid").await));
    assert!(
        (proxy
            .metric(r#"resident_retirements_total{reason="stuck"}"#)
            .await)
            .abs()
            < 0.1
    );
}

#[tokio::test]
async fn a_stuck_worker_is_given_up() {
    let flags = ["--resident-stuck-timeout", "200ms"];
    let (_php_fpm, proxy, client) = serve(POOL, &flags).await;
    let held = status(&client, "hold 30", &[("grpc-timeout", "100m")]).await;
    assert_eq!(held, Code::DeadlineExceeded);
    proxy
        .metric_becomes(r#"resident_retirements_total{reason="stuck"}"#, 1.0)
        .await;
    let calls = (0..8).map(|_| call(&client, "hold 0.01"));
    futures_util::future::join_all(calls).await;
}

#[tokio::test]
async fn a_worker_that_ends_takes_its_calls_with_it_and_is_replaced() {
    let (php_fpm, mut proxy, client) = serve(POOL, &[]).await;
    for (round, command) in ["exit", "exhaust", "kill"].iter().enumerate() {
        booted(&php_fpm, &proxy, 2 + round).await;
        let mut streams = [(); 2].map(|()| client.stream("BidiStream", &[]));
        for stream in &mut streams {
            stream.send(&value("pid"));
            stream.next().await.unwrap();
        }
        let ended = status(&client, command, &[]).await;
        assert!(
            matches!(ended, Code::Unavailable | Code::Internal | Code::Unknown),
            "{command}: {ended:?}"
        );
        proxy
            .logged(|record| {
                record["message"]
                    .as_str()
                    .unwrap()
                    .starts_with("a resident worker has ended")
            })
            .await;
        for _ in 0..10 {
            call(&client, "pid").await;
        }
        // One of the streams was in the other worker.
        let mut ok = 0;
        for stream in &mut streams {
            stream.send(&value("more"));
            stream.half_close();
            ok += usize::from(stream.next().await.is_some());
        }
        assert_eq!(ok, 1, "{command}");
    }
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

/// Calls all the time until it is told to stop, and returns the number of calls.
fn load(client: &Client, stop: &Arc<AtomicBool>) -> Vec<tokio::task::JoinHandle<usize>> {
    let callers = (0..8).map(|caller| {
        let (client, stop) = (client.clone(), Arc::clone(stop));
        tokio::spawn(async move {
            let mut calls = 0;
            while !stop.load(Ordering::Relaxed) {
                if caller % 2 == 0 {
                    assert_eq!(call(&client, "unary").await, "unary");
                } else {
                    let body = [message(&value("a")), message(&value("b"))].concat();
                    let headers = [("content-type", "application/grpc")];
                    let path = "/test.Service/BidiStream";
                    let response = client.send(path, body, &headers).await.unwrap();
                    assert_eq!(response.status(), (Code::Ok, ""));
                }
                calls += 1;
            }
            calls
        })
    });
    callers.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_the_workers_under_load_loses_no_call() {
    let (php_fpm, proxy, client) = serve(POOL, &["--connection-share", "100"]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let callers = load(&client, &stop);
    booted(&php_fpm, &proxy, 2).await;
    proxy.signal(Signal::SIGHUP);
    booted(&php_fpm, &proxy, 4).await;
    kill(
        Pid::from_raw(php_fpm.id().try_into().unwrap()),
        Signal::SIGUSR2,
    )
    .unwrap();
    booted(&php_fpm, &proxy, 6).await;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        assert!(caller.await.unwrap() > 0);
    }
    proxy.metric_becomes("resident_calls_waiting", 0.0).await;
}

#[tokio::test]
async fn workers_are_replaced_in_a_pool_without_room() {
    let (_php_fpm, proxy, client) = serve("pm.max_children = 2\n", &[]).await;
    let before: HashSet<_> = HashSet::from([call(&client, "pid").await]);
    proxy.signal(Signal::SIGHUP);
    proxy
        .metric_becomes(r#"resident_retirements_total{reason="reload"}"#, 2.0)
        .await;
    for _ in 0..10 {
        call(&client, "pid").await;
    }
    assert_eq!(before.len(), 1);
}

#[tokio::test]
async fn a_script_that_does_not_boot_is_reported_once_and_refuses_calls() {
    let php_fpm = PhpFpm::start_with(POOL).await;
    let script = php("fixtures/echo.php");
    let flags = [
        "--resident-workers",
        "2",
        "--resident-exclude",
        "test.Other",
    ];
    let mut proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await;
    let client = Client::connect(proxy.address).await;
    let record = proxy
        .logged(|record| record["message"] == "a resident worker does not boot")
        .await;
    let error = record["error"].as_str().unwrap();
    assert!(
        error.starts_with("the script ended before it connected"),
        "{error}"
    );
    let response = client.call(b"hi", &[]).await;
    let expected = (
        Code::Unavailable,
        "the application's workers are not available",
    );
    assert_eq!(response.status(), expected);
    // Calls that are kept out still run by themselves.
    let response = client.call_method("/test.Other/Method", b"hi", &[]).await;
    assert_eq!(response.status().0, Code::Ok);
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
async fn the_workers_and_their_socket_go_with_the_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("workers.sock");
    let address = format!("unix://{}", socket.display());
    let (php_fpm, mut proxy, client) = serve(POOL, &["--resident-address", &address]).await;
    call(&client, "pid").await;
    assert!(socket.exists());
    proxy.terminate();
    let record = proxy
        .logged(|record| record["message"] == "a resident worker has ended")
        .await;
    assert_eq!(record["reason"], "removed");
    assert!(proxy.wait().await.success());
    assert!(!socket.exists());
    php_fpm.becomes_idle().await;
}

/// Calls that wait in a worker behind another one are given to another worker when theirs is killed, but only if they cannot
/// have begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_runs_twice_when_workers_are_killed() {
    const CALLERS: usize = 32;
    const KILLS: usize = 60;
    let (php_fpm, proxy, client) = serve(POOL, &["--connection-share", "100"]).await;
    booted(&php_fpm, &proxy, 2).await;
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut answered = Vec::new();
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let name = format!("{caller}-{number}");
                    match status(&client, &format!("count {name}"), &[]).await {
                        Code::Ok => answered.push(name),
                        Code::Unavailable => {}
                        code => panic!("{code:?}"),
                    }
                }
                answered
            })
        })
        .collect();
    for _ in 0..KILLS {
        let response = client.call(&value("pid"), &[]).await;
        if response.status().0 == Code::Ok {
            let process = text(response.content()).parse().unwrap();
            // It may have ended since.
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut answered = HashSet::new();
    for caller in callers {
        answered.extend(caller.await.unwrap());
    }
    let counted = std::fs::read_to_string(php_fpm.ended_file()).unwrap();
    let mut ran = HashSet::new();
    for name in counted.lines() {
        assert!(ran.insert(name.to_owned()), "{name} ran twice");
    }
    let lost: Vec<_> = answered.difference(&ran).collect();
    assert!(lost.is_empty(), "{lost:?}");
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
