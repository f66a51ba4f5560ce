//! Workers that end after `pm.max_requests`.

use crate::support::{Client, PhpFpm, Proxy, php};

const CALLERS: u32 = 64;
const CALLS: u32 = 50_000;

/// A request on a kept connection is lost if its worker ends at that moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_or_run_twice() {
    let php_fpm = PhpFpm::start_with("pm.max_children = 8\npm.max_requests = 50\n").await;
    let script = php("fixtures/counter.php");
    let proxy = Proxy::start(
        &php_fpm.url(),
        script.to_str().unwrap(),
        &["--max-wait", "60s"],
    )
    .await;
    let client = Client::connect(proxy.address).await;
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let client = client.clone();
            tokio::spawn(async move {
                for number in (caller..CALLS).step_by(CALLERS as usize) {
                    let message = number.to_string();
                    assert_eq!(
                        client.call(message.as_bytes(), &[]).await.content(),
                        message.as_bytes()
                    );
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(php_fpm.counted().await, format!("{CALLS} {CALLS}"));
    assert_eq!(
        proxy
            .metric("fcgi_exchanges_total{outcome=\"complete\"}")
            .await,
        f64::from(CALLS)
    );
}
