//! Programs that are started here, ended with their owner, and looked at in /proc.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

/// How long a program may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(10);

/// A program that ends with this.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
    log: std::path::PathBuf,
}

impl Process {
    /// Starts it, with what it prints in `NAME.log` in this folder.
    pub(super) fn start(
        folder: &Path,
        name: &str,
        program: &Path,
        arguments: &[String],
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log)?;
        // So that nothing outlives a measurement that is killed.
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

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` is true.
    pub(super) fn wait_until(&mut self, ready: impl Fn() -> bool) -> anyhow::Result<()> {
        let give_up = Instant::now() + PATIENCE;
        while !ready() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > give_up {
                bail!(
                    "{} is not ready; its log ends with: {}",
                    self.name,
                    self.log_end()
                );
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn log_end(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let end = &log[log.len().saturating_sub(1000)..];
        String::from_utf8_lossy(end).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let give_up = Instant::now() + PATIENCE;
        if let Ok(id) = self.child.id().try_into() {
            kill(Pid::from_raw(id), Signal::SIGTERM).ok();
        }
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > give_up {
                self.child.kill().ok();
            }
            thread::sleep(PAUSE);
        }
    }
}

/// What a program and its children have used, and have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// CPU time since it started, in seconds.
    pub(crate) cpu: f64,
    /// Resident memory now, in MiB.
    pub(crate) memory: f64,
}

/// Of these processes and all of their children.
pub(crate) fn usage(processes: &[u32]) -> anyhow::Result<Usage> {
    let parents = parents()?;
    let mut family = processes.to_vec();
    let mut usage = Usage::default();
    // The family grows while it is walked.
    let mut next = 0;
    while let Some(&id) = family.get(next) {
        next += 1;
        family.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == id)
                .map(|(id, _)| id),
        );
        usage.cpu += cpu(id).with_context(|| format!("process {id} has ended"))?;
        usage.memory += resident(id)?;
    }
    Ok(usage)
}

/// Each process, and its parent.
fn parents() -> anyhow::Result<Vec<(u32, u32)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // It may have ended meanwhile.
        if let Ok(text) = fs::read_to_string(format!("/proc/{id}/stat")) {
            all.push((id, parent(&text).context("no parent in /proc")?));
        }
    }
    Ok(all)
}

/// See proc_pid_stat(5): behind the name, which is in brackets and may hold anything, and the state.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// From the scheduler, in nanoseconds: utime and stime come in hundredths of a second, too coarse for a short run.
fn cpu(id: u32) -> anyhow::Result<f64> {
    let mut nanoseconds = 0.0;
    for task in fs::read_dir(format!("/proc/{id}/task"))? {
        // A thread may have ended meanwhile.
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        let first = text.split(' ').next().unwrap_or_default();
        nanoseconds += first.parse::<f64>().unwrap_or_default();
    }
    Ok(nanoseconds / 1e9)
}

fn resident(id: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let kibibytes = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?
            .trim()
            .strip_suffix(" kB")?
            .parse::<f64>()
            .ok()
    });
    Ok(kibibytes.unwrap_or_default() / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        assert_eq!(parent("7 (a) b) S 3 7 7 0 -1"), Some(3));
    }

    #[test]
    fn usage_includes_children() {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let mut owned = Process {
            child,
            name: "sleep".to_owned(),
            log: "/dev/null".into(),
        };
        let alone = usage(&[owned.id()]).unwrap();
        let together = usage(&[std::process::id()]).unwrap();
        assert!(alone.memory > 0.0 && together.memory > alone.memory);
        owned.wait_until(|| true).unwrap();
    }
}
