//! Workers that end after `pm.max_requests`, or at a reload.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::task::JoinSet;

use crate::support::{Client, PhpFpm, Proxy, php};

const CALLERS: u32 = 64;
const CALLS: u32 = 50_000;
const RELOADS: u32 = 4;

async fn proxy(php_fpm: &PhpFpm) -> Proxy {
    let script = php("fixtures/counter.php");
    let flags = ["--max-wait", "60s"];
    Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await
}

/// Makes so many calls, each of which must succeed.
async fn load(proxy: &Proxy, calls: u32) -> JoinSet<()> {
    let client = Client::connect(proxy.address).await;
    let callers = (0..CALLERS).map(|caller| {
        let client = client.clone();
        async move {
            for number in (caller..calls).step_by(CALLERS as usize) {
                let message = number.to_string();
                assert_eq!(
                    client.call(message.as_bytes(), &[]).await.content(),
                    message.as_bytes()
                );
            }
        }
    });
    callers.collect()
}

/// A request on a kept connection is lost if its worker ends at that moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_or_run_twice() {
    let php_fpm = PhpFpm::start_with("pm.max_children = 8\npm.max_requests = 50\n").await;
    let proxy = proxy(&php_fpm).await;
    load(&proxy, CALLS).await.join_all().await;
    assert_eq!(php_fpm.counted().await, format!("{CALLS} {CALLS}"));
    assert_eq!(
        proxy
            .metric("fcgi_exchanges_total{outcome=\"complete\"}")
            .await,
        f64::from(CALLS)
    );
}

/// The same holds for the workers that a reload ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_loses_no_call() {
    const CALLS: u32 = 10_000;
    let pool = "pm.max_children = 8\n[global]\nprocess_control_timeout = 10s\n[test]\n";
    let php_fpm = PhpFpm::start_with(pool).await;
    let proxy = proxy(&php_fpm).await;
    let mut callers = load(&proxy, CALLS).await;
    for reload in 1..=RELOADS {
        let done = f64::from(CALLS / (RELOADS + 1) * reload);
        while proxy
            .metric("fcgi_exchanges_total{outcome=\"complete\"}")
            .await
            < done
        {
            while let Some(ended) = callers.try_join_next() {
                ended.unwrap();
            }
        }
        let process = php_fpm.id().try_into().unwrap();
        kill(Pid::from_raw(process), Signal::SIGUSR2).unwrap();
    }
    callers.join_all().await;
    assert_eq!(php_fpm.counted().await, format!("{CALLS} {CALLS}"));
}
