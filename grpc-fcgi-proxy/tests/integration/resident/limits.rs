//! The limits on the life of a worker, and on its calls.

use tonic::Code;

use super::{POOL, REPLACED, begun, call, proxy_for, retirements, serve, status, text, value};
use crate::support::{Client, PhpFpm, php};

/// More has to be a fatal error, which ends the worker.
const LITTLE_MEMORY: &str = "pm.max_children = 2\nphp_admin_value[memory_limit] = 16M\n";

/// A worker over a limit is replaced by another one. Its streams may run on only for a time.
async fn is_replaced(limit: &[&str], reason: &str, command: &str) {
    let php_fpm = PhpFpm::start_with(POOL).await;
    let own = ["--resident-workers", "1", "--resident-drain-timeout", "1ms"];
    let script = php("fixtures/resident.php");
    let (proxy, client) = proxy_for(&php_fpm, &script, &[&own, limit].concat()).await;
    let mut stream = begun(client.stream("BidiStream", &[])).await;
    let before = call(&client, "boot").await;
    while call(&client, "boot").await == before {
        call(&client, command).await;
    }
    let ended = stream.status().await;
    assert_eq!(ended, (Code::Unavailable, REPLACED.to_owned()), "{reason}");
    proxy.metric_reaches(&retirements(reason), 1.0).await;
    let aborted = proxy.metric("resident_streams_aborted_total").await;
    assert!(aborted >= 1.0, "{aborted}");
}

#[tokio::test]
async fn a_worker_is_replaced_after_its_number_of_calls() {
    is_replaced(&["--resident-max-calls", "20"], "calls", "more").await;
}

#[tokio::test]
async fn a_worker_is_replaced_at_its_age() {
    is_replaced(&["--resident-max-age", "500ms"], "age", "more").await;
}

#[tokio::test]
async fn a_worker_is_replaced_when_it_has_too_much_memory() {
    let limit = ["--resident-max-memory", "30000000"];
    is_replaced(&limit, "asked", "leak 5000000").await;
}

#[tokio::test]
async fn the_streams_of_a_worker_that_was_replaced_end_by_themselves_in_time() {
    let (_php_fpm, proxy, client) = serve(POOL, &[]).await;
    let streams = [(); 2].map(|()| begun(client.stream("BidiStream", &[])));
    let mut streams = futures_util::future::join_all(streams).await;
    proxy.signal(nix::sys::signal::Signal::SIGHUP);
    proxy.metric_becomes(&retirements("reload"), 2.0).await;
    for stream in &mut streams {
        stream.send(&value("on"));
        assert_eq!(text(&stream.next().await.unwrap()), "on");
        stream.half_close();
        assert_eq!(stream.status().await.0, Code::Ok);
    }
    assert!(proxy.metric("resident_streams_aborted_total").await.abs() < 0.1);
}

/// PHP limits the CPU time of a script, which serves all calls of a worker.
#[tokio::test]
async fn the_time_limit_of_php_holds_for_each_call() {
    let pool = format!("{POOL}php_value[max_execution_time] = 1\n");
    let php_fpm = PhpFpm::start_with(&pool).await;
    let script = php("fixtures/resident.php");
    let (mut proxy, client) = proxy_for(&php_fpm, &script, &["--resident-workers", "1"]).await;
    let before = call(&client, "boot").await;
    for _ in 0..2 {
        assert_eq!(call(&client, "spin 0.6").await, "done");
    }
    assert_eq!(call(&client, "boot").await, before);
    assert_eq!(status(&client, "spin 60", &[]).await, Code::Unknown);
    let record = proxy
        .logged(|record| {
            let message = record["message"].as_str().unwrap();
            message.contains("Maximum execution time of 1 second exceeded")
        })
        .await;
    assert_eq!(record["level"], "ERROR");
    assert_ne!(call(&client, "boot").await, before);
}

#[tokio::test]
async fn a_stream_of_64_mib_each_way_takes_little_memory() {
    const MESSAGE: usize = 64 * 1024;
    const COUNT: usize = 1024;
    let (_php_fpm, proxy, client) = serve(LITTLE_MEMORY, &[]).await;
    let mut stream = begun(client.stream("BidiStream", &[])).await;
    let before = proxy.peak_memory();
    let content = [&[0x0a, 0x80, 0x80, 0x04][..], &[b'x'; MESSAGE]].concat();
    let message = crate::support::message(&content).into();
    stream.send_repeated(&message, COUNT);
    stream.half_close();
    for _ in 0..COUNT {
        assert_eq!(stream.next().await.unwrap().len(), content.len());
    }
    assert_eq!(stream.status().await.0, Code::Ok);
    let grown = proxy.peak_memory() - before;
    assert!(grown < 16 * 1024, "{grown} KiB");
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_nobody_else() {
    let php_fpm = PhpFpm::start_with(LITTLE_MEMORY).await;
    let script = php("fixtures/resident.php");
    let (proxy, client) = proxy_for(&php_fpm, &script, &["--resident-workers", "1"]).await;
    let mut unread = client.stream("ServerStream", &[]);
    unread.send(&value("1000000000"));
    assert!(unread.next().await.is_some());
    // Another connection: this one is full.
    let other = Client::connect(proxy.address).await;
    let before = proxy.peak_memory();
    for number in 0..100 {
        let mut stream = begun(other.stream("BidiStream", &[])).await;
        assert_eq!(call(&other, "beside").await, "beside");
        stream.half_close();
        assert_eq!(stream.status().await.0, Code::Ok, "{number}");
    }
    let grown = proxy.peak_memory() - before;
    assert!(grown < 8 * 1024, "{grown} KiB");
    drop(unread);
    let running = r#"resident_calls_running{kind="stream"}"#;
    proxy.metric_becomes(running, 0.0).await;
    assert_eq!(call(&other, "after").await, "after");
}
