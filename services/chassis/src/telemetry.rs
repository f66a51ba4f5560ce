//! The log: one JSON object per line, on stderr. `RUST_LOG` sets its level. The fields of a call are the same in every
//! program here: `request_id`, `trace_id`, `method`, `path`, `status`, `grpc_code`, `duration_ms`.

use std::{env, io, sync::OnceLock, time::Duration};

use log_writer::LogGuard;
use prometheus::IntCounter;
use tracing_subscriber::{
    EnvFilter,
    filter::{LevelFilter, ParseError},
};

/// Limits the text of clients in a log record, in bytes.
const MAX_TEXT: usize = 256;

/// `RUST_LOG` is invalid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    #[error("{0:?} is not a level (off, error, warn, info, debug, trace)")]
    Level(String),
    #[error(transparent)]
    Parse(#[from] ParseError),
}

/// Counts the records that the log's reader was too slow for.
static DROPPED: OnceLock<IntCounter> = OnceLock::new();

/// The log cannot be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("RUST_LOG: {0}: set a level such as info, or TARGET=LEVEL,...")]
    Filter(#[from] FilterError),
    #[error("cannot start the log: {0}")]
    Thread(#[from] io::Error),
}

/// Dropping the guard flushes the log.
pub(crate) fn init() -> Result<LogGuard, LogError> {
    let levels = env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = filter(&levels)?;
    let (writer, guard) = log_writer::begin(io::stderr())?;
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(writer)
        .with_env_filter(filter)
        .finish();
    // Only a second call fails, and then the log is already set up.
    let _ = tracing::subscriber::set_global_default(subscriber);
    log_writer::log_panics();
    let _ = DROPPED.set(guard.dropped());
    Ok(guard)
}

/// The counter of dropped records, once the log has begun.
pub(crate) fn dropped() -> Option<IntCounter> {
    DROPPED.get().cloned()
}

/// A misspelt level would be the name of a target, and silence everything else.
fn filter(levels: &str) -> Result<EnvFilter, FilterError> {
    for directive in levels.split(',') {
        if !directive.contains('=') && directive.trim().parse::<LevelFilter>().is_err() {
            return Err(FilterError::Level(directive.to_owned()));
        }
    }
    Ok(EnvFilter::try_new(levels)?)
}

/// Cuts a client's text to the length for logs.
pub fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

/// Converts a duration to the unit of the log.
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_parsed_and_invalid_ones_refused() {
        for levels in ["", "warn", "info,h2=debug"] {
            assert!(filter(levels).is_ok(), "{levels}");
        }
        for levels in ["loud", "warning", "info,h2", "h2=loud"] {
            assert!(filter(levels).is_err(), "{levels}");
        }
    }

    #[test]
    fn text_is_cut_at_a_character_boundary() {
        assert_eq!(bounded("short"), "short");
        assert_eq!(bounded(&"é".repeat(1000)).len(), MAX_TEXT);
        assert_eq!(
            bounded(&format!("a{}", "é".repeat(1000))).len(),
            MAX_TEXT - 1
        );
    }
}
