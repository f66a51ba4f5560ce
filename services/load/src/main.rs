//! The program of the load: parse, validate, run, exit code.

use std::{io, process::ExitCode};

use load::{Config, Load, Verdict};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What clap exits with, too: nothing has been loaded.
const NOT_STARTED: u8 = 2;

fn main() -> ExitCode {
    let config: Config = chassis::config::parse("load");
    match run(config) {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(NOT_STARTED)
        }
    }
}

#[tokio::main]
async fn run(config: Config) -> Result<Verdict, Box<dyn std::error::Error>> {
    let stop = stop_by_signal()?;
    let load = Load::begin(config).await?;
    Ok(load.run(stop).await?)
}

/// The first SIGTERM or SIGINT stops the load, which then still removes what it has created; the second ends the program.
fn stop_by_signal() -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let first = stop.clone();
    tokio::spawn(async move {
        for attempt in 0.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if attempt > 0 {
                std::process::exit(1);
            }
            first.cancel();
        }
    });
    Ok(stop)
}
