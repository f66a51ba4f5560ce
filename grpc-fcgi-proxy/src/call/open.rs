//! How many calls one connection has open.

use tokio::sync::watch;

/// The calls of one connection.
#[derive(Clone, Debug, Default)]
pub struct OpenCalls(watch::Sender<usize>);

impl OpenCalls {
    /// One more, until the value is dropped.
    #[must_use]
    pub fn begin(&self) -> OpenCall {
        self.0.send_modify(|count| *count += 1);
        OpenCall(self.0.clone())
    }

    /// How many there are, now and later.
    #[must_use]
    pub fn count(&self) -> watch::Receiver<usize> {
        self.0.subscribe()
    }
}

/// A call that counts.
#[derive(Debug)]
pub struct OpenCall(watch::Sender<usize>);

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
