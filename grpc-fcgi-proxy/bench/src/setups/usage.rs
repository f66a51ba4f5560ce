//! CPU time and memory of processes, from /proc.

use std::fs;
use std::str::FromStr;

use anyhow::Context;

/// The usage of programs and their children.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// CPU time since they started, in seconds.
    pub(crate) cpu: f64,
    /// Resident memory now, in MiB.
    pub(crate) memory: f64,
}

/// Adds up these processes and all of their children.
pub(crate) fn usage(processes: &[u32]) -> anyhow::Result<Usage> {
    total(&family(processes)?)
}

/// The same for a server that may run PHP below it, which is counted apart; `None` if no PHP runs there.
pub(super) fn usage_apart(server: &[u32]) -> anyhow::Result<(Usage, Option<Usage>)> {
    let is_php = |id: &u32| !server.contains(id) && name(*id).starts_with("php");
    let (php, own): (Vec<u32>, Vec<u32>) = family(server)?.into_iter().partition(is_php);
    let php = (!php.is_empty()).then(|| total(&php)).transpose()?;
    Ok((total(&own)?, php))
}

/// The resident memory of the largest process below these, in MiB.
pub(crate) fn largest_child(processes: &[u32]) -> anyhow::Result<f64> {
    let mut largest: f64 = 0.0;
    for id in family(processes)? {
        if !processes.contains(&id) {
            largest = largest.max(resident(id)?);
        }
    }
    Ok(largest)
}

/// Whether this process runs, as a child of that one.
pub(crate) fn is_child(id: u32, of: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    parent(&stat) == Some(of)
}

/// The CPU time of this thread, in seconds.
pub(crate) fn thread_cpu() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}

fn total(processes: &[u32]) -> anyhow::Result<Usage> {
    let mut usage = Usage::default();
    for &id in processes {
        usage.cpu += cpu(id).with_context(|| format!("process {id} has ended"))?;
        usage.memory += resident(id)?;
    }
    Ok(usage)
}

/// These processes and all of their children.
fn family(processes: &[u32]) -> anyhow::Result<Vec<u32>> {
    let parents = parents()?;
    let mut family = processes.to_vec();
    // Grows while it is walked.
    let mut next = 0;
    while let Some(&id) = family.get(next) {
        next += 1;
        let children = parents.iter().filter(|(_, parent)| *parent == id);
        family.extend(children.map(|(id, _)| id));
    }
    Ok(family)
}

/// The name of the program, of at most 15 bytes.
fn name(id: u32) -> String {
    fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default()
}

/// The id of each process, and that of its parent.
fn parents() -> anyhow::Result<Vec<(u32, u32)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // It may have ended since.
        if let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) {
            let parent = parent(&stat).context("/proc/PID/stat has no parent")?;
            all.push((id, parent));
        }
    }
    Ok(all)
}

fn parent(stat: &str) -> Option<u32> {
    field(stat, 4)
}

/// See proc_pid_stat(5): the name, field 2, is in parentheses and may contain anything.
fn field<T: FromStr>(stat: &str, number: usize) -> Option<T> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let index = number.checked_sub(3)?;
    rest.split_ascii_whitespace().nth(index)?.parse().ok()
}

/// Of a process, and of its children that have ended, so that a worker that is replaced counts to its end.
fn cpu(id: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    let ended = |number| field::<f64>(&stat, number).unwrap_or_default();
    // Children's utime and stime, of those that were waited for. Linux reports them in hundredths of a second.
    Ok(own_cpu(id)? + (ended(16) + ended(17)) / 100.0)
}

/// From the scheduler, in nanoseconds: utime and stime count hundredths of a second, too coarse for a short run.
fn own_cpu(id: u32) -> anyhow::Result<f64> {
    let mut nanoseconds = 0.0;
    for task in fs::read_dir(format!("/proc/{id}/task"))? {
        // A thread may have ended since.
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        let first = text.split(' ').next().unwrap_or_default();
        nanoseconds += first.parse::<f64>().unwrap_or_default();
    }
    Ok(nanoseconds / 1e9)
}

fn resident(id: u32) -> anyhow::Result<f64> {
    mebibytes(id, "VmRSS:")
}

/// The most resident memory that a process has had, in MiB.
pub(super) fn peak(id: u32) -> anyhow::Result<f64> {
    mebibytes(id, "VmHWM:")
}

fn mebibytes(id: u32, field: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let kibibytes = status.lines().find_map(|line| {
        line.strip_prefix(field)?
            .trim()
            .strip_suffix(" kB")?
            .parse::<f64>()
            .ok()
    });
    Ok(kibibytes.unwrap_or_default() / 1024.0)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio, id};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        assert_eq!(parent("7 (a) b) S 3 7 7 0 -1"), Some(3));
    }

    #[test]
    fn usage_includes_children_that_have_ended() {
        let command = "for ((i = 0; i < 6; i++)); do bash -c 'while ((++n < 100000)); do :; done'; done; echo; cat";
        let mut shell = Command::new("bash")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        let usage = usage(&[shell.id()]).unwrap();
        shell.kill().unwrap();
        shell.wait().unwrap();
        // A shell that has done nothing takes a few milliseconds.
        assert!(usage.cpu > 0.1, "{usage:?}");
    }

    #[test]
    fn usage_includes_children() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let alone = usage(&[child.id()]).unwrap();
        let together = usage(&[id()]).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(alone.memory > 0.0 && together.memory > alone.memory);
    }

    #[test]
    fn php_below_a_server_is_counted_apart() {
        let server = "php -r 'echo 1, PHP_EOL; sleep(60);' & echo $!; wait";
        let mut server = Command::new("bash")
            .args(["-c", server])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let php = lines.next().unwrap().unwrap().parse().unwrap();
        // It prints once it runs.
        lines.next().unwrap().unwrap();
        let (own, apart) = usage_apart(&[server.id()]).unwrap();
        kill(Pid::from_raw(php), Signal::SIGKILL).unwrap();
        server.wait().unwrap();
        let apart = apart.unwrap();
        assert!(own.memory > 0.0 && apart.memory > own.memory);
    }
}
