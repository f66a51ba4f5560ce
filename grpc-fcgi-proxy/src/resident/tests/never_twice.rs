//! Whatever workers do and whenever they end, no unary call runs twice.
//!
//! Random schedules of calls and of workers that follow BINDING.md, without a clock, so that a failure can be repeated.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

const CASES: u32 = 300;
const WORKERS: usize = 2;

#[derive(Clone, Copy, Debug)]
enum Event {
    Call,
    /// The client of this call goes away.
    Cancel(usize),
    /// A worker of this place takes what the proxy has sent, begins its next call, or ends it.
    Go(usize),
    /// It dies, with what it has read or not.
    Kill(usize),
    /// It calls `exit` in the call that runs, and may die before it has sent its end.
    Exit(usize, bool),
    /// It sends what it must not, and goes on.
    Violate(usize),
    /// The proxy takes it for stuck.
    GiveUp(usize),
    /// The proxy's tasks run.
    Yield,
}

fn event() -> impl Strategy<Value = Event> {
    let place = 0..WORKERS;
    prop_oneof![
        6 => Just(Event::Call),
        1 => (0..20_usize).prop_map(Event::Cancel),
        12 => place.clone().prop_map(Event::Go),
        1 => place.clone().prop_map(Event::Kill),
        1 => (place.clone(), any::<bool>()).prop_map(|(place, ends)| Event::Exit(place, ends)),
        1 => place.clone().prop_map(Event::Violate),
        1 => place.prop_map(Event::GiveUp),
        8 => Just(Event::Yield),
    ]
}

/// A worker, as the kit is one: it reads what is there, and runs its calls in their order.
struct Model {
    far: Worker,
    unread: Vec<u8>,
    /// Calls that have not begun, with their names.
    queue: Vec<(u32, String)>,
    running: Option<u32>,
    /// Whether it can send nothing any more.
    is_dead: bool,
}

impl Model {
    fn join(group: &Arc<Group>, metrics: &ResidentMetrics) -> Self {
        Self {
            far: Worker::join(group, metrics),
            unread: Vec::new(),
            queue: Vec::new(),
            running: None,
            is_dead: false,
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = self.far.socket.try_read(&mut buffer) {
            self.unread.extend(&buffer[..length]);
        }
        while let Some(header) = self.unread.first_chunk::<HEADER_LENGTH>() {
            let [a, b, c, kind, call @ ..] = *header;
            let length = HEADER_LENGTH + u32::from_be_bytes([0, a, b, c]) as usize;
            let frame: Vec<u8> = self.unread.drain(..length).collect();
            let call = u32::from_be_bytes(call);
            if kind == FrameType::Call as u8 {
                let name = String::from_utf8(frame[HEADER_LENGTH + 41..].to_vec()).unwrap();
                self.queue.push((call, name));
            } else if kind == FrameType::Cancel as u8 {
                let waits = self.queue.iter().any(|(number, _)| *number == call);
                self.queue.retain(|(number, _)| *number != call);
                if waits {
                    self.send(FrameType::End, call, b"");
                }
            }
        }
    }

    fn send(&mut self, kind: FrameType, call: u32, payload: &[u8]) {
        let frame = [&encode_header(kind, call, payload.len())[..], payload].concat();
        self.is_dead |=
            !matches!(self.far.socket.try_write(&frame), Ok(length) if length == frame.len());
    }

    /// Returns the name of a call that begins.
    fn go(&mut self) -> Option<String> {
        self.read();
        if let Some(call) = self.running.take() {
            self.send(FrameType::End, call, b"answer");
            return None;
        }
        if self.is_dead || self.queue.is_empty() {
            return None;
        }
        let (call, name) = self.queue.remove(0);
        self.running = Some(call);
        Some(name)
    }
}

/// Every task that can go on does.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

struct Schedule {
    group: Arc<Group>,
    metrics: ResidentMetrics,
    models: Vec<Model>,
    /// Workers that the proxy has closed, which do not know it yet.
    gone: Vec<Model>,
    calls: Vec<Option<ResidentCall<Requests>>>,
    /// How many times each call has begun.
    begun: HashMap<String, usize>,
}

impl Schedule {
    fn new() -> Self {
        let (group, metrics) = group();
        Self {
            models: (0..WORKERS)
                .map(|_| Model::join(&group, &metrics))
                .collect(),
            group,
            metrics,
            gone: Vec::new(),
            calls: Vec::new(),
            begun: HashMap::new(),
        }
    }

    /// The worker of this place, in which there is another one from now on.
    fn replace(&mut self, place: usize) -> Model {
        let next = Model::join(&self.group, &self.metrics);
        std::mem::replace(&mut self.models[place], next)
    }

    fn go(model: &mut Model, begun: &mut HashMap<String, usize>) {
        if let Some(name) = model.go() {
            *begun.entry(name).or_default() += 1;
        }
    }

    async fn apply(&mut self, event: Event) {
        match event {
            Event::Call => {
                let name = format!("{:02}", self.calls.len());
                let input = stream::iter([Ok(Bytes::from(name))]);
                let call = try_begin(&self.group, CallKind::Unary, input).await;
                self.calls.push(call.ok());
            }
            Event::Cancel(call) => drop(self.calls.get_mut(call).map(Option::take)),
            Event::Go(place) => Self::go(&mut self.models[place], &mut self.begun),
            Event::Kill(place) => drop(self.replace(place)),
            Event::Exit(place, ends) => {
                let mut model = self.replace(place);
                let running = model.running.unwrap_or(0);
                model.send(FrameType::Exit, running, b"");
                if ends && running > 0 {
                    model.send(FrameType::End, running, b"early");
                }
            }
            Event::Violate(place) => {
                let mut model = self.replace(place);
                model.send(FrameType::Call, 1, b"");
                self.gone.push(model);
            }
            Event::GiveUp(place) => {
                let model = self.replace(place);
                self.group.with(|state| state.give_up(model.far.id));
                self.gone.push(model);
            }
            Event::Yield => settle().await,
        }
        for model in &mut self.gone {
            Self::go(model, &mut self.begun);
        }
    }

    /// Lets everything end, and looks how it went.
    async fn end(mut self) {
        for _ in 0..4 * (self.calls.len() + 1) {
            settle().await;
            for model in self.models.iter_mut().chain(&mut self.gone) {
                Self::go(model, &mut self.begun);
            }
        }
        for (name, times) in &self.begun {
            assert_eq!(*times, 1, "call {name} began {times} times");
        }
        for (number, call) in self.calls.iter_mut().enumerate() {
            let Some(call) = call else { continue };
            let has_begun = self.begun.contains_key(&format!("{number:02}"));
            match answer(call).await {
                Ok(text) if text == b"answer" => assert!(has_begun, "{number} has an answer"),
                Ok(_) | Err(ResidentError::Failure(Failure::NoAnswer)) => {}
                other => panic!("{number}: {other:?}"),
            }
        }
    }
}

async fn run(events: &[Event]) {
    let mut schedule = Schedule::new();
    for event in events {
        schedule.apply(*event).await;
    }
    schedule.end().await;
}

#[test]
fn no_call_runs_twice_whenever_workers_end() {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let ran = TestRunner::new(config).run(&vec(event(), 1..60), |events| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(run(&events));
        Ok(())
    });
    ran.unwrap();
}
