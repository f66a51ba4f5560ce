use std::slice;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::fastcgi::endpoint::Endpoint;
use crate::metrics::registry::Metrics;
use crate::share::Share;

async fn pool(targets: &[Endpoint], max_waiting: usize, max_wait: Duration) -> Arc<Pool> {
    let limits = PoolLimits {
        max_exchanges: 1,
        max_streams: 1,
        max_waiting,
        share: Share(90),
        max_wait,
        max_stream_wait: Duration::ZERO,
        abandoned_timeout: Duration::from_secs(1),
        keep_alive: Duration::ZERO,
    };
    let targets = Targets::follow(targets).await;
    Pool::new(targets, limits, Metrics::new().unwrap().pool)
}

async fn listening() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, Endpoint::Tcp(address))
}

/// An address that neither accepts nor refuses a connection: its backlog is full.
async fn silent() -> ((std::net::TcpListener, Vec<TcpStream>), Endpoint) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(0).unwrap().into_std().unwrap();
    let address = listener.local_addr().unwrap();
    let first = TcpStream::connect(address).await.unwrap();
    ((listener, vec![first]), Endpoint::Tcp(address.to_string()))
}

fn missing() -> Endpoint {
    Endpoint::Unix(tempfile::tempdir().unwrap().path().join("no.sock"))
}

/// In the predecessor four failed dials took its four places forever.
#[tokio::test]
async fn a_failed_dial_frees_its_place() {
    let pool = pool(&[missing()], 0, Duration::from_millis(10)).await;
    for _ in 0..5 {
        assert!(matches!(
            pool.acquire(&Holdings::default()).await,
            Err(PoolError::Connect(_))
        ));
    }
    assert_eq!(pool.metrics.running.get(), 0);
}

#[tokio::test]
async fn a_dropped_connection_frees_its_place() {
    let (_listener, target) = listening().await;
    let pool = pool(&[target], 1, Duration::from_secs(60)).await;
    let first = pool.acquire(&Holdings::default()).await.unwrap();
    assert_eq!(pool.metrics.running.get(), 1);
    let client = Holdings::default();
    let mut second = std::pin::pin!(pool.acquire(&client));
    assert!(futures_util::poll!(&mut second).is_pending());
    assert_eq!(pool.metrics.waiting.get(), 1);
    drop(first);
    second.await.unwrap();
    assert_eq!(
        (pool.metrics.waiting.get(), pool.metrics.running.get()),
        (0, 0)
    );
}

#[tokio::test]
async fn the_queue_and_the_wait_are_bounded() {
    let (_listener, target) = listening().await;
    let pool = pool(&[target], 1, Duration::from_millis(20)).await;
    let _running = pool.acquire(&Holdings::default()).await.unwrap();
    let client = Holdings::default();
    let mut waiting = std::pin::pin!(pool.acquire(&client));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    assert!(matches!(
        pool.acquire(&Holdings::default()).await,
        Err(PoolError::Queue(QueueError::TooManyWaiting))
    ));
    assert!(matches!(
        waiting.await,
        Err(PoolError::Queue(QueueError::WaitTooLong))
    ));
    assert_eq!(pool.metrics.waiting.get(), 0);
}

#[tokio::test]
async fn a_call_goes_to_another_target_if_one_is_unreachable() {
    let (listener, target) = listening().await;
    let pool = pool(&[missing(), target], 0, Duration::ZERO).await;
    let _connection = pool.acquire(&Holdings::default()).await.unwrap();
    let reachable = Target::Tcp(listener.local_addr().unwrap());
    assert_eq!(*pool.least_loaded().unwrap(), reachable);
}

#[tokio::test]
async fn calls_fail_at_once_while_a_name_has_no_address() {
    let name = Endpoint::Tcp("no-such-name.invalid:9000".to_owned());
    let pool = pool(&[name], 1, Duration::from_secs(60)).await;
    assert!(matches!(
        pool.acquire(&Holdings::default()).await,
        Err(PoolError::Connect(_))
    ));
}

/// Their deadlines may all be shorter than the time that connecting may take.
#[tokio::test(start_paused = true)]
async fn a_silent_target_leaves_the_rotation_even_if_no_call_waits_for_it() {
    let silent = silent().await;
    let pool = pool(slice::from_ref(&silent.1), 1, Duration::from_secs(60)).await;
    let target = pool.least_loaded().unwrap();
    for _ in 0..3 {
        let client = Holdings::default();
        let mut call = Box::pin(pool.acquire(&client));
        assert!(futures_util::poll!(&mut call).is_pending());
    }
    let is_down = async {
        while !pool.queue.is_down(&target) {
            sleep(RECONNECT_INTERVAL).await;
        }
    };
    timeout(Duration::from_secs(60), is_down).await.unwrap();
}
