//! The records that wait to be written, and what is dropped if they are too many.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::IntCounter;

/// How long records are collected before they are written.
const COLLECTED: Duration = Duration::from_millis(20);
/// When this much is collected, it is written sooner.
const ENOUGH: usize = 64 * 1024;
/// How much is collected at most. Twice as much memory is in use while the reader does not read.
const MAX_COLLECTED: usize = 4 * 1024 * 1024;
/// The room that only warnings may use beyond that.
const ROOM_FOR_WARNINGS: usize = 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    Usual,
    /// Written without delay, and dropped last.
    Warning,
}

#[derive(Debug)]
pub(crate) struct SharedLog {
    log: Mutex<CollectedLog>,
    /// Signals that records are due.
    changed: Condvar,
    /// Signals that all has been written.
    flushed: Condvar,
    pub(crate) dropped: IntCounter,
}

#[derive(Debug, Default)]
struct CollectedLog {
    records: Vec<u8>,
    has_warning: bool,
    /// Since the last records were taken.
    dropped: u64,
    ended: bool,
    flushed: bool,
}

impl SharedLog {
    pub(crate) fn new(dropped: IntCounter) -> Self {
        Self {
            log: Mutex::default(),
            changed: Condvar::new(),
            flushed: Condvar::new(),
            dropped,
        }
    }

    /// Adds a record, or drops it. Never waits for the log's reader.
    pub(crate) fn add(&self, record: &[u8], priority: Priority) {
        let mut log = self.lock();
        if !log.has_room(record.len(), priority) {
            log.dropped += 1;
            self.dropped.inc();
            return;
        }
        let (was_empty, was_due) = (log.records.is_empty(), log.is_due());
        log.records.extend_from_slice(record);
        log.has_warning |= priority == Priority::Warning;
        let wake = was_empty || (log.is_due() && !was_due);
        drop(log);
        if wake {
            self.changed.notify_all();
        }
    }

    /// Waits for records that are due, and moves them to `records`, which is empty. Returns how many were dropped meanwhile,
    /// or `None` at the end.
    pub(crate) fn take(&self, records: &mut Vec<u8>) -> Option<u64> {
        let wait = self.changed.wait_while(self.lock(), |log| {
            log.records.is_empty() && log.dropped == 0 && !log.ended
        });
        let log = wait.unwrap_or_else(PoisonError::into_inner);
        let wait = self
            .changed
            .wait_timeout_while(log, COLLECTED, |log| !log.is_due());
        let (mut log, _) = wait.unwrap_or_else(PoisonError::into_inner);
        if log.records.is_empty() && log.dropped == 0 {
            log.flushed = true;
            self.flushed.notify_all();
            return None;
        }
        mem::swap(&mut log.records, records);
        log.has_warning = false;
        Some(mem::take(&mut log.dropped))
    }

    /// Counts the records that could not be written.
    pub(crate) fn count_dropped(&self, records: &[u8]) -> u64 {
        let lines = records.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.dropped.inc_by(lines);
        lines
    }

    /// No record follows. Returns true if all records were written in time.
    pub(crate) fn end(&self, timeout: Duration) -> bool {
        let mut log = self.lock();
        log.ended = true;
        self.changed.notify_all();
        let wait = self
            .flushed
            .wait_timeout_while(log, timeout, |log| !log.flushed);
        let (log, _) = wait.unwrap_or_else(PoisonError::into_inner);
        log.flushed
    }

    fn lock(&self) -> MutexGuard<'_, CollectedLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CollectedLog {
    fn has_room(&self, length: usize, priority: Priority) -> bool {
        let room = match priority {
            Priority::Usual => MAX_COLLECTED,
            Priority::Warning => MAX_COLLECTED + ROOM_FOR_WARNINGS,
        };
        !self.flushed && self.records.len() + length <= room
    }

    fn is_due(&self) -> bool {
        self.has_warning || self.ended || self.records.len() >= ENOUGH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> SharedLog {
        SharedLog::new(IntCounter::new("dropped", "Dropped.").unwrap())
    }

    #[test]
    fn a_warning_is_due_at_once_and_so_are_many_records() {
        let log = log();
        log.add(b"one\n", Priority::Usual);
        assert!(!log.lock().is_due());
        log.add(b"wrong\n", Priority::Warning);
        assert!(log.lock().is_due());
        let mut records = Vec::new();
        assert_eq!(log.take(&mut records), Some(0));
        assert_eq!(records, b"one\nwrong\n");
        log.add(&[b'x'; ENOUGH], Priority::Usual);
        assert!(log.lock().is_due());
    }

    #[test]
    fn what_waits_is_bounded_and_warnings_are_dropped_last() {
        let log = log();
        let record = [b'x'; 64 * 1024];
        let count = |priority| {
            let before = log.dropped.get();
            for _ in 0..100 {
                log.add(&record, priority);
            }
            100 - (log.dropped.get() - before)
        };
        assert_eq!(count(Priority::Usual), 64);
        assert_eq!(count(Priority::Warning), 16);
        let mut records = Vec::new();
        assert_eq!(log.take(&mut records), Some(36 + 84));
        assert_eq!(records.len(), MAX_COLLECTED + ROOM_FOR_WARNINGS);
        log.add(&record, Priority::Usual);
        assert_eq!(log.dropped.get(), 36 + 84);
    }
}
