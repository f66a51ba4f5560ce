//! Workers that are replaced while calls run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tonic::Code;

use super::{POOL, REPLACED, begun, booted, call, retirements, serve, text, value};
use crate::support::{Client, PhpFpm, message};

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

fn reload(php_fpm: &PhpFpm) {
    let process = Pid::from_raw(php_fpm.id().try_into().unwrap());
    kill(process, Signal::SIGUSR2).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_the_workers_under_load_loses_no_call() {
    let (php_fpm, proxy, client) = serve(POOL, &["--connection-share", "100"]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let callers = load(&client, &stop);
    booted(&php_fpm, &proxy, 2).await;
    proxy.signal(Signal::SIGHUP);
    booted(&php_fpm, &proxy, 4).await;
    reload(&php_fpm);
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
    let before = call(&client, "boot").await;
    proxy.signal(Signal::SIGHUP);
    proxy
        .metric_becomes(r#"resident_retirements_total{reason="reload"}"#, 2.0)
        .await;
    for _ in 0..10 {
        assert_ne!(call(&client, "boot").await, before);
    }
}

#[tokio::test]
async fn streams_that_end_with_their_worker_hold_up_no_reload() {
    let (php_fpm, proxy, client) = serve(POOL, &[]).await;
    booted(&php_fpm, &proxy, 2).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut stream = begun(client.stream("BidiStream", &[])).await;
        stream.send(&value("ends"));
        assert_eq!(text(&stream.next().await.unwrap()), "");
        streams.push(stream);
    }
    reload(&php_fpm);
    for stream in &mut streams {
        let ended = stream.status().await;
        assert_eq!(ended, (Code::Unavailable, REPLACED.to_owned()));
    }
    booted(&php_fpm, &proxy, 4).await;
    proxy.metric_reaches(&retirements("asked"), 2.0).await;
    let aborted = proxy.metric("resident_streams_aborted_total").await;
    assert!(aborted.abs() < 0.1, "{aborted}");
}
