//! The process of a service: flags, log, signals, exit code.

use std::{error::Error, fmt::Display, process::ExitCode};

use clap::{CommandFactory, FromArgMatches};
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
    if let Err(error) = telemetry::init() {
        eprintln!("error: RUST_LOG: {error}: set a level such as info, or TARGET=LEVEL,...");
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let done = runtime.block_on(async {
        let stop = stop_signal().map_err(|error| error.to_string())?;
        run(config, stop).await.map_err(|error| error.to_string())
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn Display) -> ExitCode {
    tracing::error!(%error, "failed");
    ExitCode::FAILURE
}

/// Returns a token that the first SIGTERM or SIGINT cancels. A second signal ends the process immediately.
fn stop_signal() -> Result<CancellationToken, Box<dyn Error>> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if token.is_cancelled() {
                tracing::warn!("second signal: stopping without a drain");
                std::process::exit(1);
            }
            tracing::info!("stopping: draining calls");
            token.cancel();
        }
    });
    Ok(stop)
}
