//! A closed loop: so many callers, each with one call after the other, for a bounded time. Every answer is checked.

mod callers;
mod fastcgi;
mod grpc;
mod http1;
mod tally;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use grpc_fcgi_proxy::fastcgi::target::Target;
use grpc_wire::message;
use tokio::task::LocalSet;
use tokio::time::Instant;

pub(crate) use self::fastcgi::stream as fastcgi_stream;
pub(crate) use self::grpc::{Waiting, stream as grpc_stream};
pub(crate) use self::tally::Tally;

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Protocol {
    /// gRPC on HTTP/2
    Grpc,
    /// The bare message in the body of a POST
    Http1,
    /// FastCGI, a new connection for each call
    Fastcgi,
    /// FastCGI on connections that stay open
    FastcgiKept,
}

/// Where a server is, and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) protocol: Protocol,
    pub(crate) address: Target,
}

/// What one caller does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A call with one message each way.
    Unary,
    /// A message to and fro on one bidirectional call.
    RoundTrip,
}

/// A call, and what must come back.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    pub(crate) path: &'static str,
    /// For FastCGI, where nobody else says it.
    pub(crate) script: PathBuf,
    pub(crate) message: Bytes,
    pub(crate) answer: Bytes,
}

impl Call {
    /// The message as gRPC has it on the wire.
    fn framed(&self) -> Bytes {
        message::encode(0, &self.message)
    }
}

/// How many calls there are at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) connections: usize,
    pub(crate) streams: usize,
}

impl Shape {
    pub(crate) const fn new(connections: usize, streams: usize) -> Self {
        Self {
            connections,
            streams,
        }
    }

    pub(crate) const fn calls(self) -> usize {
        self.connections * self.streams
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}", self.connections, self.streams)
    }
}

/// What is measured: what ends between the two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
}

impl Window {
    /// Begins when all callers should be at work.
    fn after_warm_up(shape: Shape, time: Duration) -> Self {
        let each = Duration::from_micros(500) * u32::try_from(shape.calls()).unwrap_or(u32::MAX);
        let begin = Instant::now() + (time / 5).max(Duration::from_millis(150)) + each;
        Self {
            begin,
            end: begin + time,
        }
    }
}

/// Loads the server for this time; `look` is called at both ends of what is measured.
///
/// # Errors
///
/// If a connection could not even be made.
pub(crate) fn run<T>(
    endpoint: &Endpoint,
    call: &Call,
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
            let tally = load.join().ok().context("a thread of the load broke")??;
            all.add(tally);
        }
        Ok((all, before, after))
    })
}

/// Half of the cores: the other half is for what is measured.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

fn share(all: usize, threads: usize, thread: usize) -> usize {
    all / threads + usize::from(thread < all % threads)
}

fn on_thread(
    endpoint: &Endpoint,
    call: &Call,
    shape: Shape,
    window: Window,
) -> anyhow::Result<Tally> {
    // Callers stay on their thread.
    block_on(LocalSet::new().run_until(callers::all(endpoint, call, shape, window)))?
}

/// Runs on this thread alone.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use super::*;
    use crate::parts::trivial_call;
    use crate::{application, echo};

    const TIME: Duration = Duration::from_millis(100);

    /// Where the server listens, which ends with the test's process.
    fn serve<F: Future<Output = anyhow::Result<()>>>(
        run: impl FnOnce(SocketAddr) -> F + Send + 'static,
    ) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        thread::spawn(move || block_on(run(address)));
        let is_there = |_: &_| {
            thread::sleep(Duration::from_millis(10));
            TcpStream::connect(address).is_ok()
        };
        (0..1000).find(is_there).expect("the server listens");
        Target::Tcp(address.to_string())
    }

    fn fastcgi(address: SocketAddr) -> impl Future<Output = anyhow::Result<()>> {
        let target = Target::Tcp(address.to_string());
        async move { application::run(&target).await }
    }

    async fn http1(address: SocketAddr) -> anyhow::Result<()> {
        let answer = async |message: Bytes| application::answer(message);
        let listener = tokio::net::TcpListener::bind(address).await?;
        let all = axum::Router::new().fallback(answer);
        Ok(axum::serve(listener, all).await?)
    }

    fn load(protocol: Protocol, address: &Target, call: &Call) -> Tally {
        let address = address.clone();
        let endpoint = Endpoint { protocol, address };
        let (tally, (), ()) = run(&endpoint, call, Shape::new(2, 2), TIME, || ()).unwrap();
        tally
    }

    #[test]
    fn an_answer_that_is_not_the_right_one_is_a_failure() {
        let grpc = serve(echo::run);
        let http1 = serve(http1);
        let fastcgi = serve(fastcgi);
        for (protocol, address) in [
            (Protocol::Grpc, &grpc),
            (Protocol::Http1, &http1),
            (Protocol::Fastcgi, &fastcgi),
            (Protocol::FastcgiKept, &fastcgi),
        ] {
            let right = trivial_call(40);
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
                    &Call {
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
    fn a_grpc_status_that_is_not_ok_is_a_failure() {
        let path = "/no.Service/Method";
        let call = Call {
            path,
            ..trivial_call(40)
        };
        let tally = load(Protocol::Grpc, &serve(echo::run), &call);
        assert!(
            tally
                .first_failure()
                .unwrap()
                .starts_with("grpc-status \"12\"")
        );
    }
}
