//! Logs: one JSON object a line, on stderr. `RUST_LOG` chooses what is logged. The fields of a call
//! are those of every other program here: `request_id`, `trace_id`, `method`, `path`, `status`,
//! `grpc_code`, `duration_ms`.

use std::{env, time::Duration};

use tracing_subscriber::{EnvFilter, filter::ParseError};

/// Bytes of a client's text in a log line.
const MAX_TEXT: usize = 256;

/// Starts logging, for the whole process.
///
/// # Errors
///
/// That `RUST_LOG` cannot be read.
pub(crate) fn init() -> Result<(), ParseError> {
    let filter = env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::try_new(filter)?)
        .finish();
    // Only a second call fails, and then there are logs already.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

/// As much of a client's text as a log line takes.
pub fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

/// A duration, as the logs have it.
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(bounded("short"), "short");
        assert_eq!(bounded(&"é".repeat(1000)).len(), MAX_TEXT);
        assert_eq!(
            bounded(&format!("a{}", "é".repeat(1000))).len(),
            MAX_TEXT - 1
        );
    }
}
