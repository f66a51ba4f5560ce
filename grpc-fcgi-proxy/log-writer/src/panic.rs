//! Panics are records too: the standard hook writes to standard error itself, and waits for its reader.

use std::panic::{self, PanicHookInfo};

/// Logs each panic, instead of writing it to standard error.
pub fn log_panics() {
    panic::set_hook(Box::new(log_panic));
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("no message");
    let location = info.location().map(ToString::to_string);
    tracing::error!(location, "panicked: {message}");
}
