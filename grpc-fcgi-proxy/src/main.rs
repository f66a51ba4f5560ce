//! Parses, binds, runs.

use std::io::{self, Write};
use std::process::ExitCode;

use grpc_fcgi_proxy::{CommandLine, Config, Proxy, begin_log, check};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let line = CommandLine::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    match line {
        CommandLine::Serve(config) => serve(*config).await,
        CommandLine::Check(config) => check(&config).await,
    }
}

async fn serve(config: Config) -> ExitCode {
    let log = match begin_log() {
        Ok(log) => log,
        Err(error) => {
            // No log exists that could report this.
            let _ = writeln!(
                io::stderr(),
                "grpc-fcgi-proxy: cannot start the log: {error}"
            );
            return ExitCode::FAILURE;
        }
    };
    let code = match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    };
    drop(log);
    code
}

async fn run(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Proxy::bind(config).await?.run(shutdown).await
}
