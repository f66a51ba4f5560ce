//! The log: one JSON object per line on standard error, including PHP's output to STDERR.

mod application_log;
mod call_id;
mod repeats;
mod script_messages;
mod worker_log;

use std::env;
use std::fmt::Display;
use std::io;

use log_writer::LogGuard;
use prometheus::IntCounter;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub(crate) use self::application_log::{ApplicationLog, log_page};
pub(crate) use self::call_id::CallId;
pub(crate) use self::repeats::FOR_EACH_CALL;
use self::repeats::{RepeatLimit, RepeatReports};
pub(crate) use self::worker_log::WorkerLog;

/// The log. Dropping it flushes it, if the log's reader takes it within a second.
#[derive(Debug)]
pub struct Log {
    // Dropped first, since it logs.
    _repeats: RepeatReports,
    writer: LogGuard,
}

impl Log {
    /// Counts the records that the log's reader was too slow for.
    pub fn dropped(&self) -> IntCounter {
        self.writer.dropped()
    }
}

/// Starts the log. `RUST_LOG` filters it by level and target, as in `info,h2=debug`; the default is `info`.
///
/// # Errors
///
/// If `RUST_LOG` is invalid, or the system refuses a thread.
pub fn init() -> io::Result<Log> {
    let filter = filter(env::var("RUST_LOG").ok().as_deref())?;
    let (writer, guard) = log_writer::begin(io::stderr())?;
    let records = fmt::layer().json().flatten_event(true).with_writer(writer);
    let repeats = RepeatLimit::default();
    tracing_subscriber::registry()
        .with(filter)
        .with(repeats.clone())
        .with(records)
        .init();
    log_writer::log_panics();
    Ok(Log {
        _repeats: repeats.report()?,
        writer: guard,
    })
}

/// Not EnvFilter, which also filters by fields: its regular expressions are a tenth of the program's size.
fn filter(levels: Option<&str>) -> io::Result<Targets> {
    match levels {
        None | Some("") => Ok(Targets::new().with_default(LevelFilter::INFO)),
        Some(levels) => {
            levels.split(',').try_for_each(check_directive)?;
            levels.parse().map_err(invalid_filter)
        }
    }
}

/// A misspelt level would be the name of a target, and silence everything else.
fn check_directive(directive: &str) -> io::Result<()> {
    if !directive.contains('=') && directive.trim().parse::<LevelFilter>().is_err() {
        return Err(invalid_filter(format!("{directive:?} is not a level")));
    }
    Ok(())
}

fn invalid_filter(error: impl Display) -> io::Error {
    io::Error::other(format!(
        "RUST_LOG: {error}: use a level such as info (off, error, warn, info, debug, trace), or TARGET=LEVEL,..."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_parsed_and_invalid_ones_refused() {
        for levels in [None, Some(""), Some("warn"), Some("info,h2=debug")] {
            assert!(filter(levels).is_ok(), "{levels:?}");
        }
        for levels in ["h2=loud", "loud", "warning", "info,h2"] {
            let error = filter(Some(levels)).unwrap_err().to_string();
            assert!(
                error.contains("use a level such as info"),
                "{levels}: {error}"
            );
        }
    }
}
