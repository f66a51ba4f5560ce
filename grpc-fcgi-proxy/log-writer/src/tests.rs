use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// Reports each write to the test, and blocks it until the test allows it with a result.
struct GatedOutput {
    writes: Sender<Vec<u8>>,
    results: Receiver<io::Result<()>>,
}

impl Write for GatedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes.send(bytes.to_vec()).unwrap();
        let result = self.results.recv_timeout(PATIENCE).unwrap();
        result.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Log {
    writer: LogWriter,
    guard: LogGuard,
    writes: Receiver<Vec<u8>>,
    results: Sender<io::Result<()>>,
}

fn log() -> Log {
    let (sender, writes) = channel();
    let (results, receiver) = channel();
    let out = GatedOutput {
        writes: sender,
        results: receiver,
    };
    let (writer, guard) = begin(out).unwrap();
    Log {
        writer,
        guard,
        writes,
        results,
    }
}

impl Log {
    fn record(&self, text: &[u8]) {
        self.writer.0.add(text, Priority::Usual);
    }
}

/// While the first record is being written, the next ones are collected, however long the write takes.
#[test]
fn records_are_collected_during_a_write_and_written_together_and_in_order() {
    let log = log();
    log.record(b"one\n");
    assert_eq!(log.writes.recv().unwrap(), b"one\n");
    log.record(b"two\n");
    log.record(b"three\n");
    log.results.send(Ok(())).unwrap();
    assert_eq!(log.writes.recv().unwrap(), b"two\nthree\n");
    log.results.send(Ok(())).unwrap();
}

#[test]
fn nothing_is_lost_at_the_end() {
    let log = log();
    log.record(b"last\n");
    log.results.send(Ok(())).unwrap();
    drop(log.guard);
    assert_eq!(log.writes.try_recv().unwrap(), b"last\n");
}

#[test]
fn the_end_does_not_wait_for_a_reader_that_does_not_read() {
    let log = log();
    log.record(b"one\n");
    log.writes.recv().unwrap();
    drop(log.guard);
    // The write still waits for its result.
    log.results.send(Ok(())).unwrap();
}

#[test]
fn a_pipe_that_is_full_for_a_moment_loses_nothing() {
    let log = log();
    log.record(b"one\n");
    for result in [
        Err(ErrorKind::WouldBlock),
        Err(ErrorKind::Interrupted),
        Ok(()),
    ] {
        assert_eq!(log.writes.recv().unwrap(), b"one\n");
        log.results.send(result.map_err(io::Error::from)).unwrap();
    }
    assert_eq!(log.guard.dropped().get(), 0);
}

#[test]
fn records_without_a_reader_are_counted() {
    let log = log();
    log.record(b"one\ntwo\n");
    let dropped = log.guard.dropped();
    log.results.send(Err(ErrorKind::BrokenPipe.into())).unwrap();
    drop(log.guard);
    assert_eq!(dropped.get(), 2);
}
