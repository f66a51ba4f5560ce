//! Accepts connections, however short of file descriptors the system is.

use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// If the system has no file descriptor left, accepting again at once would only waste CPU time.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two records about connections that cannot be accepted.
const LOG_PERIOD: Duration = Duration::from_secs(10);

/// A listener whose errors are logged.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    errors: Errors,
}

/// The errors since the last record.
#[derive(Debug, Default)]
struct Errors {
    count: u64,
    logged: Option<Instant>,
}

impl Listener {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            errors: Errors::default(),
        }
    }

    pub(crate) async fn accept(&mut self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(error) => {
                    self.errors.add(&error);
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

impl Errors {
    /// Logs the error unless another one was logged shortly before. Returns true if it did.
    fn add(&mut self, error: &io::Error) -> bool {
        self.count += 1;
        let is_due = self.logged.is_none_or(|at| at.elapsed() >= LOG_PERIOD);
        if is_due {
            tracing::warn!(%error, times = self.count, "cannot accept a connection");
            self.count = 0;
            self.logged = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many as there are while the system has no file descriptor left.
    #[tokio::test(start_paused = true)]
    async fn errors_are_logged_at_a_bounded_rate() {
        let mut errors = Errors::default();
        let error = io::ErrorKind::Other.into();
        let mut logged = 0;
        for _ in 0..1000 {
            logged += usize::from(errors.add(&error));
            sleep(PAUSE).await;
        }
        assert_eq!(logged, 5);
    }
}
