//! Bounds how often one kind of record is logged: nothing that a client can repeat, in this crate or a library, may fill
//! the log.
//!
//! A kind is one place in the source code. Of each kind, `MAX_RECORDS` a second are logged; one record counts the others.
//! Records below INFO are not bounded, since an operator has asked for them, nor are those named `FOR_EACH_CALL`.

use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::time::Instant;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, dispatcher};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The name of records that are never left out: those that the log has for each call that ran, or for each line of a
/// script.
pub(crate) const FOR_EACH_CALL: &str = "for each call";

/// How many records of a kind are logged in each period.
const MAX_RECORDS: u32 = 10;
const PERIOD: Duration = Duration::from_secs(1);
/// The example of what was left out is cut to this many bytes.
const MAX_EXAMPLE: usize = 200;

/// The layer that leaves records out.
#[derive(Clone, Debug, Default)]
pub(super) struct RepeatLimit(Arc<SharedRepeats>);

/// Reports what has been left out, for the last time when it is dropped.
#[derive(Debug)]
pub(super) struct RepeatReports {
    shared: Arc<SharedRepeats>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct SharedRepeats {
    repeats: Mutex<Repeats>,
    /// Signals the first record that is left out, and the end.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Repeats {
    kinds: HashMap<Identifier, Kind>,
    any_left_out: bool,
    ended: bool,
}

/// The records of one kind.
#[derive(Debug)]
struct Kind {
    metadata: &'static Metadata<'static>,
    period_began: Instant,
    logged: u32,
    left_out: u64,
    /// The message of the first that was left out.
    example: String,
}

impl RepeatLimit {
    /// Starts the thread that reports to the current subscriber.
    pub(super) fn report(&self) -> io::Result<RepeatReports> {
        let shared = Arc::clone(&self.0);
        let reporting = Arc::clone(&shared);
        let log = dispatcher::get_default(Clone::clone);
        let thread = thread::Builder::new()
            .name("log repeats".to_owned())
            .spawn(move || dispatcher::with_default(&log, || reporting.report()))?;
        Ok(RepeatReports {
            shared,
            thread: Some(thread),
        })
    }
}

impl<S: Subscriber> Layer<S> for RepeatLimit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        *metadata.level() > Level::INFO || metadata.name() == FOR_EACH_CALL || self.0.admit(event)
    }
}

impl SharedRepeats {
    fn lock(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, event: &Event<'_>) -> bool {
        let mut repeats = self.lock();
        let metadata = event.metadata();
        let kind = repeats.kinds.entry(metadata.callsite());
        let kind = kind.or_insert_with(|| Kind::new(metadata));
        if kind.admit() {
            return true;
        }
        if kind.left_out == 0 {
            event.record(&mut Message(&mut kind.example));
        }
        kind.left_out += 1;
        if !repeats.any_left_out {
            repeats.any_left_out = true;
            self.changed.notify_all();
        }
        false
    }

    /// Until the end, reports one period after the first record was left out.
    fn report(&self) {
        let mut ended = false;
        while !ended {
            let wait = self.changed.wait_while(self.lock(), |repeats| {
                !repeats.any_left_out && !repeats.ended
            });
            let repeats = wait.unwrap_or_else(PoisonError::into_inner);
            let wait = self
                .changed
                .wait_timeout_while(repeats, PERIOD, |repeats| !repeats.ended);
            let (mut repeats, _) = wait.unwrap_or_else(PoisonError::into_inner);
            ended = repeats.ended;
            let left_out = repeats.take_left_out();
            drop(repeats);
            for (metadata, left_out, example) in left_out {
                let of = metadata.target();
                tracing::warn!(
                    name: FOR_EACH_CALL,
                    of,
                    example,
                    left_out,
                    "left out records of a kind that repeats"
                );
            }
        }
    }
}

impl Repeats {
    fn take_left_out(&mut self) -> Vec<(&'static Metadata<'static>, u64, String)> {
        self.any_left_out = false;
        let kinds = self.kinds.values_mut().filter(|kind| kind.left_out > 0);
        let take = |kind: &mut Kind| {
            let left_out = std::mem::take(&mut kind.left_out);
            (kind.metadata, left_out, std::mem::take(&mut kind.example))
        };
        kinds.map(take).collect()
    }
}

impl Kind {
    fn new(metadata: &'static Metadata<'static>) -> Self {
        Self {
            metadata,
            period_began: Instant::now(),
            logged: 0,
            left_out: 0,
            example: String::new(),
        }
    }

    fn admit(&mut self) -> bool {
        if self.period_began.elapsed() >= PERIOD {
            self.period_began = Instant::now();
            self.logged = 0;
        }
        let admitted = self.logged < MAX_RECORDS;
        self.logged += u32::from(admitted);
        admitted
    }
}

impl Drop for RepeatReports {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// Takes the message of a record.
struct Message<'a>(&'a mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            *self.0 = fmt::format(format_args!("{value:?}"));
            self.0.truncate(self.0.floor_char_boundary(MAX_EXAMPLE));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use tracing::subscriber::DefaultGuard;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::registry;
    use tracing_subscriber::util::SubscriberInitExt;

    use super::*;

    /// The messages of the records that pass.
    struct Passed(Sender<String>);

    impl<S: Subscriber> Layer<S> for Passed {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut fields = Vec::new();
            event.record(&mut |field: &Field, value: &dyn Debug| {
                fields.push(format!("{}={value:?}", field.name()));
            });
            fields.sort();
            self.0.send(fields.join(" ")).unwrap();
        }
    }

    fn log() -> (DefaultGuard, RepeatReports, Receiver<String>) {
        let (sender, passed) = channel();
        let limit = RepeatLimit::default();
        let log = registry().with(limit.clone()).with(Passed(sender));
        let guard = log.set_default();
        let reports = limit.report().unwrap();
        (guard, reports, passed)
    }

    fn repeat(times: u32) {
        for number in 0..times {
            tracing::warn!("repeated {number}");
        }
    }

    // Time stands still in these tests.
    #[tokio::test(start_paused = true)]
    async fn records_that_repeat_are_left_out_and_counted() {
        let (_guard, reports, passed) = log();
        repeat(MAX_RECORDS + 5);
        tracing::warn!("another kind");
        drop(reports);
        let mut passed: Vec<_> = passed.try_iter().collect();
        let report = passed.pop().unwrap();
        assert_eq!(
            report,
            "example=\"repeated 10\" left_out=5 message=left out records of a kind that repeats \
             of=\"grpc_fcgi_proxy::telemetry::repeats::tests\""
        );
        assert_eq!(passed.pop().unwrap(), "message=another kind");
        assert_eq!(passed.len(), MAX_RECORDS as usize);
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_is_logged_again_in_the_next_period() {
        let (_guard, reports, passed) = log();
        for _ in 0..3 {
            repeat(MAX_RECORDS);
            tokio::time::advance(PERIOD).await;
        }
        drop(reports);
        assert_eq!(passed.try_iter().count(), 3 * MAX_RECORDS as usize);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_left_out_is_reported_while_the_proxy_runs() {
        let (_guard, _reports, passed) = log();
        repeat(MAX_RECORDS + 1);
        let passed: Vec<_> = passed.iter().take(MAX_RECORDS as usize + 1).collect();
        assert!(passed.last().unwrap().contains("left_out=1"), "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn records_for_each_call_and_those_below_info_are_not_bounded() {
        let (_guard, reports, passed) = log();
        for _ in 0..1000 {
            tracing::info!(name: FOR_EACH_CALL, "call");
            tracing::debug!("detail");
        }
        drop(reports);
        assert_eq!(passed.try_iter().count(), 2000);
    }
}
