//! Memory during the load, and the gauges behind it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::figures::{Growth, Spread};
use crate::setups::{Counted, largest_child, usage};

/// Gauges, and their values while there are no calls. The workers are [`WORKERS`](crate::setups::WORKERS).
const GAUGES: [(&str, &str, f64); 10] = [
    ("grpc_server_calls", "", 0.0),
    ("grpc_server_connections", "", 0.0),
    ("fcgi_calls_waiting", "", 0.0),
    ("fcgi_exchanges_running", "", 0.0),
    ("fcgi_exchanges_abandoned", "", 0.0),
    ("resident_calls_waiting", "", 0.0),
    ("resident_calls_running", "", 0.0),
    ("resident_workers", "state=\"booting\"", 0.0),
    ("resident_workers", "state=\"ready\"", 4.0),
    ("resident_workers", "state=\"retiring\"", 0.0),
];
const SETTLED_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
const SAMPLES: usize = 60;

/// Samples of resident memory, in MiB.
#[derive(Debug, Default)]
pub(super) struct Memory {
    proxy: Vec<f64>,
    /// The largest worker.
    worker: Vec<f64>,
}

/// Samples memory until then.
pub(super) async fn memory(counted: &Counted, end: Instant) -> Memory {
    let mut memory = Memory::default();
    let pause = (end - Instant::now()) / u32::try_from(SAMPLES).unwrap_or(u32::MAX);
    while Instant::now() < end {
        sleep(pause).await;
        if let Ok(usage) = usage(&[counted.proxy()]) {
            memory.proxy.push(usage.memory);
        }
        // A worker may end meanwhile.
        if let Ok(largest) = largest_child(&[counted.php_fpm()]) {
            memory.worker.push(largest);
        }
    }
    memory
}

impl Memory {
    pub(super) fn proxy(&self) -> Option<Growth> {
        early_and_late(&self.proxy)
    }

    pub(super) fn worker(&self) -> Option<Growth> {
        early_and_late(&self.worker)
    }
}

/// The median of the second sixth, so before the first third has ended, and of the last one.
fn early_and_late(samples: &[f64]) -> Option<Growth> {
    let sixth = (samples.len() / 6).max(1);
    let median = |part: &[f64]| Spread::of(part.iter().copied()).map(|part| part.median);
    let early = samples.get(sixth..2 * sixth)?;
    let late = samples.get(samples.len().checked_sub(sixth)?..)?;
    Some(Growth {
        early: median(early)?,
        late: median(late)?,
    })
}

/// Waits until all workers are ready, and the other gauges are zero; returns those that never are as they should be.
pub(super) fn settle(metrics: &str) -> anyhow::Result<Vec<String>> {
    let expiry = Instant::now() + SETTLED_WITHIN;
    loop {
        let text = page(metrics)?;
        let left: Vec<_> = GAUGES
            .iter()
            .map(|&(name, label, idle)| (name, label, idle, sum(&text, name, label)))
            .filter(|(_, _, idle, value)| *value != Some(*idle))
            .map(|(name, label, _, value)| format!("{name} {label}: {value:?}"))
            .collect();
        if left.is_empty() || Instant::now() > expiry {
            return Ok(left);
        }
        thread::sleep(POLL);
    }
}

/// The least number of files and sockets that a process has open within a second: it may not have closed the connection
/// of a page yet.
pub(super) fn open_files(process: u32) -> anyhow::Result<usize> {
    let mut least = usize::MAX;
    for _ in 0..10 {
        thread::sleep(POLL);
        least = least.min(fs::read_dir(format!("/proc/{process}/fd"))?.count());
    }
    Ok(least)
}

/// The sum of the counters with this name and label, which come into being when they first count.
pub(super) fn counter(metrics: &str, name: &str, label: &str) -> anyhow::Result<f64> {
    Ok(sum(&page(metrics)?, name, label).unwrap_or_default())
}

/// `None` if there is none, or one is no number.
fn sum(page: &str, name: &str, label: &str) -> Option<f64> {
    let values = page.lines().filter_map(|line| {
        let (labels, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
        let wanted = labels.is_empty() || labels.starts_with('{');
        (wanted && labels.contains(label)).then(|| value.parse::<f64>().ok())
    });
    values.reduce(|sum, value| Some(sum? + value?))?
}

fn page(address: &str) -> anyhow::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    connection.read_to_string(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_with_the_same_name_add_up() {
        let page = "a 1\na_total 7\nb{c=\"d\",e=\"f\"} 2\nb{c=\"g\",e=\"f\"} 3\nc{d=\"e\"} 4\n";
        assert_eq!(sum(page, "a", ""), Some(1.0));
        assert_eq!(sum(page, "b", ""), Some(5.0));
        assert_eq!(sum(page, "b", "c=\"d\""), Some(2.0));
        assert_eq!(sum(page, "d", ""), None);
    }

    #[test]
    fn memory_is_compared_at_the_end_of_the_first_third_and_at_the_end() {
        let samples: Vec<f64> = (1..=12).map(f64::from).collect();
        assert_eq!(
            early_and_late(&samples),
            Some(Growth {
                early: 3.5,
                late: 11.5
            })
        );
        assert_eq!(early_and_late(&[]), None);
    }
}
