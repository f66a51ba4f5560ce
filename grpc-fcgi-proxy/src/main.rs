//! Parses, binds, runs.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use grpc_fcgi_proxy::{
    CommandLine, Config, Log, Proxy, begin_log, check, health, prepare_system_limits,
};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot};

fn main() -> ExitCode {
    let line = CommandLine::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    if let Err(error) = prepare_system_limits(&line) {
        return refuse(&error.to_string());
    }
    match line {
        CommandLine::Serve(config) => serve(*config),
        CommandLine::Check(config) => finish(check(&config)),
        CommandLine::Health(flags) => finish(health(&flags)),
    }
}

fn finish(command: impl Future<Output = ExitCode>) -> ExitCode {
    match runtime() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => refuse(&format!("{error:#}")),
    }
}

fn serve(config: Config) -> ExitCode {
    let log = match begin_log() {
        Ok(log) => log,
        Err(error) => return refuse(&format!("cannot start the log: {error}")),
    };
    let result = runtime().and_then(|runtime| {
        let result = runtime.block_on(run(config, &log));
        // A lookup that hangs must not delay the exit.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// While no log exists that could report it.
fn refuse(error: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "grpc-fcgi-proxy: {error}");
    ExitCode::FAILURE
}

/// Fails if the system is out of file descriptors or memory.
fn runtime() -> anyhow::Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")
}

async fn run(config: Config, log: &Log) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let reload = Notify::new();
    let proxy = Proxy::bind(config, log).await?;
    let (drain, drained) = oneshot::channel();
    let second = async {
        signals.stop(&reload).await;
        let _ = drain.send(());
        signals.stop(&reload).await;
    };
    tokio::select! {
        result = proxy.run(async { drained.await.unwrap_or_default() }, &reload) => result,
        () = second => anyhow::bail!("ended by a second signal, before the calls had drained"),
    }
}

/// The signals that stop the proxy, and those that must not: their default action would end it.
struct Signals {
    /// SIGQUIT is what images made from php-fpm's are stopped with.
    stop: [Signal; 3],
    hangup: Signal,
    _ignored: [Signal; 2],
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            stop: [
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
                signal(SignalKind::quit())?,
            ],
            hangup: signal(SignalKind::hangup())?,
            _ignored: [
                signal(SignalKind::user_defined1())?,
                signal(SignalKind::user_defined2())?,
            ],
        })
    }

    /// Waits for the next signal that stops the proxy. Meanwhile SIGHUP asks to `reload`.
    async fn stop(&mut self, reload: &Notify) {
        let [terminate, interrupt, quit] = &mut self.stop;
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = quit.recv() => return,
                _ = self.hangup.recv() => reload.notify_one(),
            }
        }
    }
}
