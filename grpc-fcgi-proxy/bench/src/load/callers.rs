//! The callers of one thread, and the call that each of them repeats.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::call::{CheckedCall, LoadKind};
use super::endpoint::{Endpoint, Protocol};
use super::shape::Shape;
use super::tally::Tally;
use super::window::Window;
use super::{fastcgi, grpc, http1, http2};

/// How long the last calls may take.
const GRACE: Duration = Duration::from_secs(5);

/// Runs all callers until the window ends.
pub(super) async fn all(
    endpoint: &Endpoint,
    call: &CheckedCall,
    shape: Shape,
    window: Window,
) -> anyhow::Result<Tally> {
    let mut callers = JoinSet::new();
    let call = Arc::new(call.clone());
    for _ in 0..shape.connections {
        if let Protocol::Grpc | Protocol::Connect | Protocol::Json = endpoint.protocol {
            let connection = grpc::connect(&endpoint.address).await?;
            for _ in 0..shape.streams {
                let (connection, call) = (connection.clone(), Arc::clone(&call));
                match endpoint.protocol {
                    Protocol::Grpc => callers.spawn_local(over_grpc(connection, call, window)),
                    protocol => callers.spawn_local(over_http2(connection, protocol, call, window)),
                };
            }
        } else {
            // The other protocols carry one call at a time on a connection.
            for _ in 0..shape.streams {
                callers.spawn_local(over_own_connection(
                    endpoint.clone(),
                    Arc::clone(&call),
                    window,
                ));
            }
        }
    }
    let mut all = Tally::new(window);
    while !callers.is_empty() {
        match timeout_at(window.end + GRACE, callers.join_next()).await {
            Ok(Some(tally)) => all.add(tally?),
            Ok(None) => break,
            Err(_) => {
                let waiting = callers.len();
                all.fail(&anyhow::anyhow!(
                    "{waiting} callers got no response within {GRACE:?}"
                ));
                break;
            }
        }
    }
    Ok(all)
}

async fn over_grpc(
    connection: grpc::GrpcConnection,
    call: Arc<CheckedCall>,
    window: Window,
) -> Tally {
    let mut tally = Tally::new(window);
    match call.kind {
        LoadKind::Unary => {
            let caller = grpc::Unary::new(connection, &call);
            repeat(&mut tally, async || caller.call().await).await;
        }
        LoadKind::RoundTrip => match grpc::RoundTrips::begin(&connection, &call).await {
            Ok(mut stream) => repeat(&mut tally, async || stream.next().await).await,
            Err(error) => tally.fail(&error),
        },
    }
    tally
}

/// Makes this number of calls over HTTP/2, one after the other.
pub(crate) async fn sequence(
    endpoint: &Endpoint,
    call: &CheckedCall,
    count: usize,
) -> anyhow::Result<()> {
    let connection = grpc::connect(&endpoint.address).await?;
    if endpoint.protocol == Protocol::Grpc {
        let caller = grpc::Unary::new(connection, call);
        for _ in 0..count {
            caller.call().await?;
        }
    } else {
        let caller = http2::Unary::new(connection, endpoint.protocol, call);
        for _ in 0..count {
            caller.call().await?;
        }
    }
    Ok(())
}

async fn over_http2(
    connection: grpc::GrpcConnection,
    protocol: Protocol,
    call: Arc<CheckedCall>,
    window: Window,
) -> Tally {
    let mut tally = Tally::new(window);
    let caller = http2::Unary::new(connection, protocol, &call);
    repeat(&mut tally, async || caller.call().await).await;
    tally
}

async fn over_own_connection(endpoint: Endpoint, call: Arc<CheckedCall>, window: Window) -> Tally {
    let mut tally = Tally::new(window);
    if let Protocol::Http1 | Protocol::JsonHttp1 = endpoint.protocol {
        match http1::Unary::connect(&endpoint, &call).await {
            Ok(mut caller) => repeat(&mut tally, async || caller.call().await).await,
            Err(error) => tally.fail(&error),
        }
        return tally;
    }
    let keep = endpoint.protocol == Protocol::FastcgiKept;
    match call.kind {
        LoadKind::Unary => match fastcgi::Unary::new(endpoint.address, &call, keep) {
            Ok(mut caller) => repeat(&mut tally, async || caller.call().await).await,
            Err(error) => tally.fail(&error),
        },
        LoadKind::RoundTrip => match fastcgi::RoundTrips::begin(&endpoint.address, &call).await {
            Ok(mut stream) => repeat(&mut tally, async || stream.next().await).await,
            Err(error) => tally.fail(&error),
        },
    }
    tally
}

async fn repeat(tally: &mut Tally, mut call: impl AsyncFnMut() -> anyhow::Result<()>) {
    loop {
        let began = Instant::now();
        if !tally.record(began, call().await) {
            return;
        }
    }
}
