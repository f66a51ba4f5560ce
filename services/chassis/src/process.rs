//! The process of a service: flags, log, signals, exit code.

use std::{error::Error, fmt::Display, process::ExitCode};

use clap::{CommandFactory, FromArgMatches};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{config, telemetry};

/// Runs the named service until it ends by itself, or on SIGTERM or SIGINT. Exits on an invalid flag before a port is
/// bound.
pub fn main<C, E>(
    service: &str,
    run: impl AsyncFnOnce(C, CancellationToken) -> Result<(), E>,
) -> ExitCode
where
    C: CommandFactory + FromArgMatches,
    E: Display,
{
    let config = config::parse::<C>(service);
    raise_file_limit();
    // Flushed when all else has ended.
    let _log = match telemetry::init() {
        Ok(log) => log,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let done = runtime.block_on(async {
        let signals = signals().map_err(|error| error.to_string())?;
        tokio::select! {
            done = run(config, signals.stop) => done.map_err(|error| error.to_string()),
            () = signals.end.cancelled() => Err("ended by a second signal".to_owned()),
        }
    });
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Connections need more file descriptors than the usual soft limit allows. A limit that cannot be raised may suffice.
fn raise_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

fn failed(error: &dyn Display) -> ExitCode {
    tracing::error!(%error, "failed");
    ExitCode::FAILURE
}

/// What signals have asked for.
struct Signals {
    /// Cancelled by the first SIGTERM or SIGINT.
    stop: CancellationToken,
    /// Cancelled by the second.
    end: CancellationToken,
}

fn signals() -> Result<Signals, Box<dyn Error>> {
    let (stop, end) = (CancellationToken::new(), CancellationToken::new());
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let signals = Signals {
        stop: stop.clone(),
        end: end.clone(),
    };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_cancelled() {
                tracing::warn!("second signal: stopping without a drain");
                return end.cancel();
            }
            tracing::info!("stopping: draining calls");
            stop.cancel();
        }
    });
    Ok(signals)
}
