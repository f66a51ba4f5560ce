//! Where the log goes: collected, and written by a thread of its own, so that a call does not wait for whoever reads
//! the log, and many records are one write.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Records are collected this long.
const COLLECTED: Duration = Duration::from_millis(20);
/// With this much collected the record's own thread writes: nothing is left out, and memory has its bound.
const MAX_COLLECTED: usize = 64 * 1024;

/// The writer of tracing's records.
#[derive(Debug)]
pub(super) struct LogWriter<W>(Arc<Shared<W>>);

/// Writes what is left when it is dropped.
#[derive(Debug)]
pub struct LogGuard<W: Write> {
    shared: Arc<Shared<W>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared<W> {
    log: Mutex<Log<W>>,
    /// Something is collected, or the end has come.
    news: Condvar,
}

#[derive(Debug)]
struct Log<W> {
    collected: Vec<u8>,
    out: W,
    ended: bool,
}

impl<W: Write> Log<W> {
    fn write(&mut self) {
        let collected = mem::take(&mut self.collected);
        // Where the log cannot be written, nobody can be told.
        let _ = self.out.write_all(&collected);
        self.collected = collected;
        self.collected.clear();
    }
}

impl<W> Shared<W> {
    fn lock(&self) -> MutexGuard<'_, Log<W>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to collect for `out`.
///
/// # Errors
///
/// If the system has no more threads.
pub(super) fn begin<W: Write + Send + 'static>(out: W) -> io::Result<(LogWriter<W>, LogGuard<W>)> {
    let shared = Arc::new(Shared {
        log: Mutex::new(Log {
            collected: Vec::new(),
            out,
            ended: false,
        }),
        news: Condvar::new(),
    });
    let writing = Arc::clone(&shared);
    let thread = thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_now_and_then(&writing))?;
    let guard = LogGuard {
        shared: Arc::clone(&shared),
        thread: Some(thread),
    };
    Ok((LogWriter(shared), guard))
}

fn write_now_and_then<W: Write>(shared: &Shared<W>) {
    let mut log = shared.lock();
    while !log.ended {
        let wait = shared
            .news
            .wait_while(log, |log| log.collected.is_empty() && !log.ended);
        log = wait.unwrap_or_else(PoisonError::into_inner);
        let wait = shared
            .news
            .wait_timeout_while(log, COLLECTED, |log| !log.ended);
        (log, _) = wait.unwrap_or_else(PoisonError::into_inner);
        log.write();
    }
    // What has come before this thread has looked.
    log.write();
}

impl<W: Write> Drop for LogGuard<W> {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.news.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

/// One record.
#[derive(Debug)]
pub(super) struct Record<'a, W: Write> {
    shared: &'a Shared<W>,
    /// Written at once, with all before it: what is wrong should be seen whatever happens next.
    urgent: bool,
}

impl<W: Write> Write for Record<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.shared.lock();
        let first = log.collected.is_empty();
        log.collected.extend_from_slice(bytes);
        if self.urgent || log.ended || log.collected.len() >= MAX_COLLECTED {
            log.write();
        } else if first {
            self.shared.news.notify_all();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a, W: Write + 'static> MakeWriter<'a> for LogWriter<W> {
    type Writer = Record<'a, W>;

    fn make_writer(&'a self) -> Self::Writer {
        Record {
            shared: &self.0,
            urgent: true,
        }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        Record {
            shared: &self.0,
            urgent: *meta.level() <= Level::WARN,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Sends each write.
    struct Told(Sender<Vec<u8>>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log() -> (LogWriter<Told>, LogGuard<Told>, Receiver<Vec<u8>>) {
        let (sender, writes) = channel();
        let (writer, guard) = begin(Told(sender)).unwrap();
        (writer, guard, writes)
    }

    fn record(writer: &LogWriter<Told>, urgent: bool, text: &[u8]) {
        let shared = &writer.0;
        Record { shared, urgent }.write_all(text).unwrap();
    }

    #[test]
    fn records_are_written_together_and_in_order() {
        let (writer, _guard, writes) = log();
        record(&writer, false, b"one\n");
        record(&writer, false, b"two\n");
        assert_eq!(writes.recv().unwrap(), b"one\ntwo\n");
        record(&writer, false, b"three\n");
        assert_eq!(writes.recv().unwrap(), b"three\n");
    }

    #[test]
    fn a_warning_is_written_at_once_with_all_before_it() {
        let (writer, _guard, writes) = log();
        record(&writer, false, b"one\n");
        record(&writer, true, b"wrong\n");
        let all: Vec<u8> = writes.try_iter().flatten().collect();
        assert_eq!(all, b"one\nwrong\n");
    }

    #[test]
    fn what_is_collected_has_a_bound() {
        let (writer, _guard, writes) = log();
        record(&writer, false, &[b'x'; MAX_COLLECTED]);
        assert_eq!(writes.try_recv().unwrap().len(), MAX_COLLECTED);
    }

    #[test]
    fn nothing_is_lost_at_the_end_nor_after_it() {
        let (writer, guard, writes) = log();
        record(&writer, false, b"last\n");
        drop(guard);
        record(&writer, false, b"later\n");
        assert_eq!(
            writes.try_iter().collect::<Vec<_>>(),
            [&b"last\n"[..], b"later\n"]
        );
    }
}
