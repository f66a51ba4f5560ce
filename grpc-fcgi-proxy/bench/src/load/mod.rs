//! A closed loop: each caller makes one call after the other, for a bounded time. Every response is checked.

mod call;
mod callers;
mod endpoint;
mod fastcgi;
mod get;
mod grpc;
mod held;
mod http1;
mod http2;
mod shape;
mod tally;
mod window;

use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::task::LocalSet;
use tokio::time::Instant;

pub(crate) use self::call::{CheckedCall, LoadKind};
pub(crate) use self::callers::sequence;
pub(crate) use self::endpoint::{Endpoint, Protocol};
pub(crate) use self::fastcgi::{connect, stream as fastcgi_stream};
pub(crate) use self::get::Getter;
pub(crate) use self::grpc::{Waiting, stream as grpc_stream};
pub(crate) use self::held::HeldStreams;
pub(crate) use self::shape::Shape;
pub(crate) use self::tally::Tally;
use self::window::Window;

/// Loads the server for this time, and calls `look` at both ends of the window. Fails only if a connection cannot be
/// made.
pub(crate) fn run<T>(
    endpoint: &Endpoint,
    call: &CheckedCall,
    shape: Shape,
    time: Duration,
    mut look: impl FnMut() -> T,
) -> anyhow::Result<(Tally, T, T)> {
    let window = Window::after_warm_up(shape, time);
    let threads = threads().min(shape.connections);
    thread::scope(|scope| {
        let loads: Vec<_> = (0..threads)
            .map(|thread| {
                let connections = share(shape.connections, threads, thread);
                let shape = Shape::new(connections, shape.streams);
                scope.spawn(move || on_thread(endpoint, call, shape, window))
            })
            .collect();
        thread::sleep(window.begin.saturating_duration_since(Instant::now()));
        let before = look();
        thread::sleep(window.end.saturating_duration_since(Instant::now()));
        let after = look();
        let mut all = Tally::new(window);
        for load in loads {
            let tally = load
                .join()
                .ok()
                .context("a thread of the load panicked")??;
            all.add(tally);
        }
        Ok((all, before, after))
    })
}

/// Half of the cores: the other half is for the setup.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

fn share(all: usize, threads: usize, thread: usize) -> usize {
    all / threads + usize::from(thread < all % threads)
}

fn on_thread(
    endpoint: &Endpoint,
    call: &CheckedCall,
    shape: Shape,
    window: Window,
) -> anyhow::Result<Tally> {
    block_on(LocalSet::new().run_until(callers::all(endpoint, call, shape, window)))?
}

/// Runs on a runtime of this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use bytes::Bytes;
    use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;
    use tonic::Code;

    use super::*;
    use crate::{application, echo};

    const TIME: Duration = Duration::from_millis(100);

    /// Starts a server, which ends with the test's process.
    fn serve<F: Future<Output = anyhow::Result<()>>>(
        run: impl FnOnce(SocketAddr) -> F + Send + 'static,
    ) -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        thread::spawn(move || block_on(run(address)));
        let listens = |_: &_| {
            thread::sleep(Duration::from_millis(10));
            TcpStream::connect(address).is_ok()
        };
        (0..1000).find(listens).expect("the server listens");
        Address::Tcp(address.to_string())
    }

    fn fastcgi(address: SocketAddr) -> impl Future<Output = anyhow::Result<()>> {
        let listen = Address::Tcp(address.to_string());
        async move { application::run(&listen).await }
    }

    /// Over HTTP/1.1 and HTTP/2.
    async fn http(address: SocketAddr) -> anyhow::Result<()> {
        let answer = async |message: Bytes| application::answer(message);
        let listener = tokio::net::TcpListener::bind(address).await?;
        let all = axum::Router::new().fallback(answer);
        Ok(axum::serve(listener, all).await?)
    }

    fn load(protocol: Protocol, address: &Address, call: &CheckedCall) -> Tally {
        let address = address.clone();
        let endpoint = Endpoint { protocol, address };
        let (tally, (), ()) = run(&endpoint, call, Shape::new(2, 2), TIME, || ()).unwrap();
        tally
    }

    #[test]
    fn a_wrong_response_is_a_failure() {
        let grpc = serve(echo::run);
        let http = serve(http);
        let fastcgi = serve(fastcgi);
        for (protocol, address) in [
            (Protocol::Grpc, &grpc),
            (Protocol::Http1, &http),
            (Protocol::JsonHttp1, &http),
            (Protocol::Connect, &http),
            (Protocol::Json, &http),
            (Protocol::Fastcgi, &fastcgi),
            (Protocol::FastcgiKept, &fastcgi),
        ] {
            let right = CheckedCall::trivial(40);
            let tally = load(protocol, address, &right);
            assert!(tally.calls() > 0, "{protocol:?}");
            assert_eq!(tally.first_failure(), None, "{protocol:?}");

            let mut answer = right.answer.to_vec();
            *answer.last_mut().unwrap() ^= 1;
            for answer in [
                answer.as_slice(),
                &answer[1..],
                &[answer.as_slice(), b"."].concat(),
            ] {
                let answer = Bytes::copy_from_slice(answer);
                let tally = load(
                    protocol,
                    address,
                    &CheckedCall {
                        answer,
                        ..right.clone()
                    },
                );
                assert!(tally.failures() > 0, "{protocol:?}");
                assert_eq!(tally.calls(), 0, "{protocol:?}");
            }
        }
    }

    #[test]
    fn a_status_other_than_ok_is_a_failure() {
        let path = "/no.Service/Method";
        let call = CheckedCall {
            path,
            ..CheckedCall::trivial(40)
        };
        let tally = load(Protocol::Grpc, &serve(echo::run), &call);
        let failure = tally.first_failure().unwrap();
        let expected = format!("status {:?}", Code::Unimplemented);
        assert!(failure.starts_with(&expected), "{failure}");
    }
}
