//! The programs of a setup, which end with their owner.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

/// How long a program may take to start, and to end.
const TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A program that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts a program, with its output in `NAME.log` in this folder.
    pub(super) fn start(
        folder: &Path,
        name: &str,
        program: &Path,
        arguments: &[String],
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log)?;
        // It must not outlive a run that is killed.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self {
            child,
            name: name.to_owned(),
            log,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` returns true.
    pub(super) fn wait_until(&mut self, ready: impl Fn() -> bool) -> anyhow::Result<()> {
        let expiry = Instant::now() + TIMEOUT;
        while !ready() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > expiry {
                bail!(
                    "{} did not get ready; its log ends with: {}",
                    self.name,
                    self.log_tail()
                );
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let end = &log[log.len().saturating_sub(1000)..];
        String::from_utf8_lossy(end).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let expiry = Instant::now() + TIMEOUT;
        if let Ok(id) = self.child.id().try_into() {
            kill(Pid::from_raw(id), Signal::SIGTERM).ok();
        }
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > expiry {
                self.child.kill().ok();
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}
