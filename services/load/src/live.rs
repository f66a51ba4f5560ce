//! A line about the present, again and again: on a terminal one that changes, else one below the other.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::{
    summary::listed,
    tally::{Requests, Tally},
    watchers::Watchers,
};

/// Deletes the rest of a line of a terminal.
const CLEAR: &str = "\x1b[K";

/// Prints a line each `period`, until it is dropped.
pub(crate) async fn print(tally: &Tally, watchers: &Watchers, all_watchers: u32, period: Duration) {
    let begin = Instant::now();
    let mut ticks = interval_at(begin + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut output, terminal) = (io::stderr(), io::stderr().is_terminal());
    let mut last = begin;
    loop {
        let now = ticks.tick().await;
        let requests = tally.take_recent();
        let watching = (watchers.connected(), all_watchers);
        let line = line(now - begin, now - last, &requests, watching);
        last = now;
        // Nobody may read it.
        let _ = if terminal {
            write!(output, "\r{line}{CLEAR}")
        } else {
            writeln!(output, "{line}")
        };
    }
}

/// Ends the line that changes.
pub(crate) fn end() {
    if io::stderr().is_terminal() {
        eprintln!();
    }
}

/// The requests of the last `time`.
fn line(since: Duration, time: Duration, requests: &Requests, watching: (u64, u32)) -> String {
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let rate = requests.count() as f64 / time.as_secs_f64().max(f64::EPSILON);
    let ms = |quantile| requests.latency(quantile).as_secs_f64() * 1000.0;
    let mut line = format!(
        "{:>5} s  {rate:.1}/s  ok {}  failed {}",
        since.as_secs(),
        requests.ok,
        requests.failed()
    );
    if requests.failed() > 0 {
        line += &format!(" ({})", listed(&requests.failed));
    }
    if requests.out_of_stock > 0 {
        line += &format!("  out of stock {}", requests.out_of_stock);
    }
    if requests.limited > 0 {
        line += &format!("  limited {}", requests.limited);
    }
    line += &format!("  p50 {:.1} ms  p99 {:.1} ms", ms(0.5), ms(0.99));
    if watching.1 > 0 {
        line += &format!("  watchers {}/{}", watching.0, watching.1);
    }
    line
}
