//! Parses, validates, binds, runs.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use grpc_fcgi_proxy::builtin::descriptors::Descriptors;
use grpc_fcgi_proxy::check;
use grpc_fcgi_proxy::config::{CommandLine, Config};
use grpc_fcgi_proxy::telemetry;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let line = CommandLine::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    match line {
        CommandLine::Serve(config) => serve(*config).await,
        CommandLine::Check(config) => check::run(&config).await,
    }
}

async fn serve(config: Config) -> ExitCode {
    let log = match telemetry::init() {
        Ok(log) => log,
        Err(error) => return tell(&error),
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

/// There is no log yet.
fn tell(error: &io::Error) -> ExitCode {
    let _ = writeln!(
        io::stderr(),
        "grpc-fcgi-proxy: cannot begin to log: {error}"
    );
    ExitCode::FAILURE
}

async fn run(config: Config) -> anyhow::Result<()> {
    let descriptors = Descriptors::read(&config.descriptor_set)?;
    if config.reflection() {
        descriptors
            .index
            .check_imports()
            .context("reflection is not possible; --no-reflection does without it")?;
    }
    let tls = config.tls.acceptor(config.web.grpc_web)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let grpc = config
        .address
        .bind()
        .await
        .with_context(|| format!("cannot listen on {}", config.address))?;
    let aux = config
        .aux_address
        .bind()
        .await
        .with_context(|| format!("cannot listen on {}", config.aux_address))?;
    tracing::info!(
        address = %grpc.local_addr()?,
        aux_address = %aux.local_addr()?,
        tls = tls.is_some(),
        fastcgi = %config.fastcgi,
        entry_script = %config.entry_script.display(),
        "serving"
    );
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    grpc_fcgi_proxy::run(config, descriptors, tls, grpc, aux, shutdown).await
}
