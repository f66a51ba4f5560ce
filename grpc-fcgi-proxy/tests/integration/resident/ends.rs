//! Workers that end, fail to boot, or are killed.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tonic::Code;

use super::{POOL, booted, boots, call, proxy_for, retirements, serve, status, text, value};
use crate::support::{Client, PhpFpm, Proxy, php};

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
        let running = r#"resident_calls_running{kind="stream"}"#;
        proxy.metric_becomes(running, 0.0).await;
        assert_eq!(ok, 1, "{command}");
    }
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

/// The next worker boots at once, as often as a client makes such calls.
#[tokio::test]
async fn calls_that_end_their_workers_keep_no_worker_away() {
    let (_php_fpm, _proxy, client) = serve(POOL, &[]).await;
    for _ in 0..16 {
        assert_eq!(status(&client, "exit", &[]).await, Code::Unknown);
        assert_eq!(call(&client, "served").await, "served");
    }
}

#[tokio::test]
async fn a_worker_whose_request_ends_before_its_connection_is_replaced() {
    let (_php_fpm, proxy, client) = serve(POOL, &[]).await;
    let mut stream = client.stream("BidiStream", &[]);
    stream.send(&value("boot"));
    let before = text(&stream.next().await.unwrap());
    stream.send(&value("finish"));
    assert_eq!(text(&stream.next().await.unwrap()), "1");
    // It is given up a moment later. No other call is in it then.
    let ended = retirements("ended");
    let calls = [(); 2].map(|()| async {
        while proxy.metric(&ended).await < 1.0 {
            call(&client, "hold 0.2").await;
        }
    });
    futures_util::future::join_all(calls).await;
    assert_eq!(stream.status().await.0, Code::Internal);
    for _ in 0..8 {
        assert_ne!(call(&client, "boot").await, before);
    }
}

#[tokio::test]
async fn a_script_that_goes_on_after_its_connection_counts_as_retiring() {
    let php_fpm = PhpFpm::start_with(POOL).await;
    let folder = tempfile::tempdir().unwrap();
    let (script, mark) = (folder.path().join("index.php"), folder.path().join("mark"));
    let text = format!(
        "<?php require '{}'; while (is_file(__DIR__ . '/mark')) {{ usleep(1000); clearstatcache(); }}",
        php("fixtures/resident.php").display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::write(&mark, "").unwrap();
    let (proxy, client) = proxy_for(&php_fpm, &script, &["--resident-workers", "2"]).await;
    proxy
        .metric_becomes(&boots(&php_fpm, &script, "ready"), 2.0)
        .await;
    proxy.signal(Signal::SIGHUP);
    let workers = |state| {
        let (script, target) = (script.display(), php_fpm.url());
        format!(r#"resident_workers{{script="{script}",state="{state}",target="{target}"}}"#)
    };
    proxy.metric_becomes(&workers("retiring"), 2.0).await;
    proxy.metric_becomes(&workers("ready"), 2.0).await;
    assert_eq!(call(&client, "served").await, "served");
    std::fs::remove_file(&mark).unwrap();
    proxy.metric_becomes(&workers("retiring"), 0.0).await;
}
