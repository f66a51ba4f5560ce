//! What is measured, part by part.

mod growth;
mod memory;
mod php;
mod streams;
mod turns;
mod unary;

use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use tokio::time::Instant;

use crate::application::UNARY;
use crate::arguments::{Effort, Part, Peer, Run};
use crate::load::{Call, Kind, Shape};
use crate::progress;
use crate::setups::{Between, Way};
use crate::{application, report};

pub(crate) use self::turns::Bench;

/// The usual shape: what the marks are about.
pub(crate) const USUAL: Shape = Shape::new(8, 8);
/// And one call after the other.
pub(crate) const ALONE: Shape = Shape::new(1, 1);
/// A message without much in it.
pub(crate) const SMALL: usize = 40;

const GIB: u64 = 1 << 30;

type Measure = fn(&mut Bench) -> anyhow::Result<()>;

/// Measures what is wanted, and reports.
pub(crate) fn run(flags: &Run) -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut bench = Bench::new(flags);
    let mut broken = Vec::new();
    let all: [(Part, Measure); 6] = [
        (Part::Memory, memory::measure),
        (Part::Unary, unary::shapes),
        (Part::Sizes, unary::sizes),
        (Part::Php, php::measure),
        (Part::Streams, streams::measure),
        (Part::Growth, growth::measure),
    ];
    for (part, measure) in all {
        if flags.only.is_empty() || flags.only.contains(&part) {
            progress(&format!(
                "== {part:?}, after {:.0} s",
                begin.elapsed().as_secs_f64()
            ));
            // What the other parts say is not lost.
            if let Err(error) = measure(&mut bench) {
                progress(&format!("{part:?} breaks off: {error:#}"));
                broken.push(part);
            }
        }
    }
    progress(&format!(
        "measured in {:.0} s",
        begin.elapsed().as_secs_f64()
    ));
    let report = bench.into_report();
    report::write(flags, &report)?;
    ensure!(broken.is_empty(), "not measured to the end: {broken:?}");
    ensure!(
        report.failures() == 0,
        "{} answers were wrong; the report says which",
        report.failures()
    );
    Ok(())
}

/// How long, how often, and which.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Of each measurement; a median is taken.
    pub(crate) runs: usize,
    pub(crate) time: Duration,
    /// All shapes, sizes and ways.
    pub(crate) full: bool,
    /// Bytes of the long stream.
    pub(crate) stream: u64,
}

impl Extent {
    fn of(effort: Effort) -> Self {
        // Many short ones: what the machine does meanwhile lasts for seconds.
        let (runs, milliseconds, stream) = match effort {
            Effort::Check => (1, 100, GIB / 64),
            Effort::Quick => (3, 650, GIB / 4),
            Effort::Full => (9, 650, GIB),
        };
        Self {
            runs,
            time: Duration::from_millis(milliseconds),
            full: effort != Effort::Quick,
            stream,
        }
    }

    /// With less time for each run.
    fn shorter(self) -> Self {
        Self {
            time: self.time * 2 / 3,
            ..self
        }
    }
}

/// A unary call of the trivial application.
pub(crate) fn trivial_call(bytes: usize) -> Call {
    let message = message(bytes);
    Call {
        kind: Kind::Unary,
        path: UNARY,
        script: "/none.php".into(),
        answer: application::answer(message.clone()),
        message,
    }
}

/// A google.protobuf.BytesValue that has this many bytes on the wire.
fn message(bytes: usize) -> Bytes {
    let encoded = |content: usize| prost::Message::encode_to_vec(&vec![b'm'; content]);
    let longest = (0..=8).map(|prefix| encoded(bytes.saturating_sub(prefix)));
    longest
        .into_iter()
        .find(|message| message.len() <= bytes)
        .unwrap_or_default()
        .into()
}

/// All that have FastCGI behind, new connections before kept ones; the Unix sockets when there is time.
fn ways(extent: Extent) -> Vec<Way> {
    let unix: &[bool] = if extent.full {
        &[false, true]
    } else {
        &[false]
    };
    let mut ways = Vec::new();
    for between in [
        Between::Proxy,
        Between::EnvoyNginx,
        Between::Nginx,
        Between::Nothing,
    ] {
        for &unix in unix {
            let compared = !matches!(between, Between::EnvoyNginx | Between::Nginx) || !unix;
            if compared {
                ways.extend([false, true].map(|kept| Way::new(between, kept, unix)));
            }
        }
    }
    ways
}

impl Peer {
    fn matches(&self, names: &[String]) -> bool {
        names.is_empty() || names.iter().any(|name| self.name.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_their_size_on_the_wire() {
        for bytes in [40, 4 << 10, 64 << 10, 1 << 20] {
            assert_eq!(message(bytes).len(), bytes);
        }
    }
}
