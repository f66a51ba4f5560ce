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
    log: Mutex<Log>,
    /// Something is collected, or the end has come.
    news: Condvar,
    /// Locked before `log`, so that what is collected first is written first.
    out: Mutex<Out<W>>,
}

#[derive(Debug, Default)]
struct Log {
    collected: Vec<u8>,
    ended: bool,
}

#[derive(Debug)]
struct Out<W> {
    out: W,
    /// What was collected, while it is written: others are collected meanwhile.
    written: Vec<u8>,
}

impl<W: Write> Shared<W> {
    fn write(&self) {
        let mut out = lock(&self.out);
        let Out { out, written } = &mut *out;
        mem::swap(&mut lock(&self.log).collected, written);
        // Where the log cannot be written, nobody can be told.
        let _ = out.write_all(written);
        written.clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to collect for `out`.
///
/// # Errors
///
/// If the system has no more threads.
pub(super) fn begin<W: Write + Send + 'static>(out: W) -> io::Result<(LogWriter<W>, LogGuard<W>)> {
    let shared = Arc::new(Shared {
        log: Mutex::default(),
        news: Condvar::new(),
        out: Mutex::new(Out {
            out,
            written: Vec::new(),
        }),
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
    let mut ended = false;
    while !ended {
        let wait = shared.news.wait_while(lock(&shared.log), |log| {
            log.collected.is_empty() && !log.ended
        });
        let log = wait.unwrap_or_else(PoisonError::into_inner);
        let wait = shared
            .news
            .wait_timeout_while(log, COLLECTED, |log| !log.ended);
        let (log, _) = wait.unwrap_or_else(PoisonError::into_inner);
        ended = log.ended;
        drop(log);
        shared.write();
    }
}

impl<W: Write> Drop for LogGuard<W> {
    fn drop(&mut self) {
        lock(&self.shared.log).ended = true;
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
        let mut log = lock(&self.shared.log);
        let first = log.collected.is_empty();
        log.collected.extend_from_slice(bytes);
        let now = self.urgent || log.ended || log.collected.len() >= MAX_COLLECTED;
        drop(log);
        if now {
            self.shared.write();
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

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Tells of each write, and has it wait until it may end.
    struct Told {
        told: Sender<Vec<u8>>,
        may: Option<Receiver<()>>,
    }

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.told.send(bytes.to_vec()).unwrap();
            if let Some(may) = &self.may {
                may.recv_timeout(PATIENCE).unwrap();
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log() -> (LogWriter<Told>, LogGuard<Told>, Receiver<Vec<u8>>) {
        let (told, writes) = channel();
        let (writer, guard) = begin(Told { told, may: None }).unwrap();
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
    fn a_record_does_not_wait_for_the_write_of_others() {
        let (told, writes) = channel();
        let (allow, may) = channel();
        let may = Some(may);
        let (writer, _guard) = begin(Told { told, may }).unwrap();
        record(&writer, false, b"one\n");
        assert_eq!(writes.recv().unwrap(), b"one\n");
        record(&writer, false, b"two\n");
        record(&writer, false, b"three\n");
        allow.send(()).unwrap();
        assert_eq!(writes.recv().unwrap(), b"two\nthree\n");
        allow.send(()).unwrap();
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
