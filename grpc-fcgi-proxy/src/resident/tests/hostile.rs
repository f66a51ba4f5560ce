//! A worker that sends anything: its connection ends at the latest with it, and nothing is left of its calls.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

const CASES: u32 = 300;

#[derive(Clone, Debug)]
enum Event {
    Begin(CallKind),
    /// The client of this call goes away.
    Drop(usize),
    Retire,
    Read,
    Send(Vec<u8>),
}

fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        2 => Just(CallKind::Unary),
        1 => Just(CallKind::ClientStream),
        1 => Just(CallKind::ServerStream),
        1 => Just(CallKind::BidiStream),
    ];
    let payload = prop_oneof![
        4 => vec(any::<u8>(), 0..20),
        1 => (1..70_000_usize).prop_map(|length| vec![7; length]),
        1 => (0..100_000_u32).prop_map(|credit| credit.to_be_bytes().to_vec()),
    ];
    let frame = (0..12_u8, 0..8_u32, payload).prop_map(|(kind, call, payload)| {
        let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[a, b, c, kind][..], &call.to_be_bytes(), &payload].concat()
    });
    // Most calls have a good answer.
    let good = (1..8_u32).prop_map(|call| {
        let header = encode_header(FrameType::End, call, 6);
        [&header[..], b"answer"].concat()
    });
    prop_oneof![
        4 => kind.prop_map(Event::Begin),
        1 => (0..8_usize).prop_map(Event::Drop),
        1 => Just(Event::Retire),
        3 => Just(Event::Read),
        2 => frame.prop_map(Event::Send),
        4 => good.prop_map(Event::Send),
    ]
}

async fn run(events: Vec<Event>) {
    let (group, metrics) = group();
    let worker = Worker::join(&group, &metrics);
    let mut calls = Vec::new();
    for event in events {
        match event {
            Event::Begin(kind) => {
                calls.push(try_begin(&group, kind, requests(&[b"in"])).await.ok())
            }
            Event::Drop(call) => drop(calls.get_mut(call).map(Option::take)),
            Event::Retire => group.with(|state| state.retire(worker.id)),
            Event::Read => {
                let _ = worker.socket.try_read(&mut [0; 4096]);
            }
            // It may be closed.
            Event::Send(frame) => drop(worker.socket.try_write(&frame)),
        }
        tokio::task::yield_now().await;
        for call in calls.iter_mut().flatten() {
            let poll = poll_fn(|cx| Poll::Ready(call.poll_next(cx, identity)));
            let _ = poll.await;
        }
    }
    drop(worker.socket);
    timeout(TEST_TIMEOUT, worker.end).await.unwrap().unwrap();
    group.with(|state| state.set_hope(false));
    for call in calls.iter_mut().flatten() {
        // Every call ends.
        let _ = answer(call).await;
    }
    drop(calls);
    assert!(group.with(|state| state.calls.is_empty() && state.workers.is_empty()));
    assert_eq!(metrics.waiting.get(), 0);
}

#[test]
fn nothing_is_left_of_a_worker_that_sends_anything() {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let ran = TestRunner::new(config).run(&vec(event(), 1..40), |events| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(run(events));
        Ok(())
    });
    ran.unwrap();
}
