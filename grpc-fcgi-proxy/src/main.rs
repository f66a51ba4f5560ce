//! Parses, binds, runs.

use std::io::{self, Write};
use std::process::ExitCode;

use grpc_fcgi_proxy::{CommandLine, Config, Proxy, begin_log, check};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot};

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
    let mut signals = Signals::listen()?;
    let reload = Notify::new();
    let proxy = Proxy::bind(config).await?;
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
