//! Unary calls.

use super::*;
use crate::resident::choice::{SHORT, UnaryTime};
use crate::waiting::QueueError;

#[tokio::test]
async fn a_unary_call_is_one_frame_and_ends_with_its_answer() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let mut call = unary(&group).await;
    let payload = worker.expect(FrameType::Call, 1).await;
    let expected = b"\x00\x03\0\x06\0\x04\0\x0b\0\0\0\0\0\0\0\0\0\0\0\0/a.B/Chost127.0.0.1:9in";
    assert_eq!(payload, expected);
    worker.send(FrameType::Data, 1, b"ans").await;
    worker.send(FrameType::End, 1, b"wer").await;
    assert_eq!(answer(&mut call).await.unwrap(), b"answer");
}

#[tokio::test]
async fn a_long_message_takes_several_frames() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let message = Bytes::from(vec![7; 2_500_000]);
    let input = stream::iter([Ok(message.clone())]);
    let _call = try_begin(&group, CallKind::Unary, input).await.unwrap();
    let mut received = worker.expect(FrameType::Call, 1).await.split_off(41);
    received.extend(worker.expect(FrameType::Data, 1).await);
    received.extend(worker.expect(FrameType::End, 1).await);
    assert_eq!(received, message);
}

#[tokio::test]
async fn the_least_loaded_worker_gets_the_call() {
    let (group, metrics) = group();
    let mut workers = [(); 2].map(|()| Worker::join(&group, &metrics));
    let _calls = [unary(&group).await, unary(&group).await];
    for worker in &mut workers {
        worker.expect(FrameType::Call, 1).await;
    }
    let streams = [(); 3].map(|()| begin(&group, CallKind::BidiStream, &[]));
    let _streams = futures_util::future::join_all(streams).await;
    workers[0].expect(FrameType::Call, 2).await;
    workers[1].expect(FrameType::Call, 2).await;
    workers[0].expect(FrameType::Call, 3).await;
}

#[tokio::test]
async fn a_call_waits_for_a_worker_and_fails_if_none_is_coming() {
    let (group, metrics) = group();
    let mut served = unary(&group).await;
    let mut refused = unary(&group).await;
    let mut worker = Worker::join(&group, &metrics);
    worker.expect(FrameType::Call, 1).await;
    worker.send(FrameType::End, 1, b"answer").await;
    assert_eq!(answer(&mut served).await.unwrap(), b"answer");
    worker.expect(FrameType::Call, 2).await;
    drop(worker);
    assert!(answer(&mut refused).await.is_err());
    let mut waiting = unary(&group).await;
    group.with(|state| state.set_hope(false));
    let failure = answer(&mut waiting).await.unwrap_err();
    assert!(
        matches!(failure, ResidentError::Failure(Failure::NoWorkers)),
        "{failure}"
    );
    let failure = try_begin(&group, CallKind::Unary, requests(&[b"in"])).await;
    assert!(matches!(
        failure,
        Err(ResidentError::Failure(Failure::NoWorkers))
    ));
    assert_eq!(metrics.waiting.get(), 0);
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_and_keeps_its_turn_until_it_ends() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let (dropped, mut kept) = (unary(&group).await, unary(&group).await);
    drop(dropped);
    worker.expect(FrameType::Call, 1).await;
    worker.expect(FrameType::Call, 2).await;
    worker.expect(FrameType::Cancel, 1).await;
    worker.send(FrameType::End, 1, b"ignored").await;
    worker.send(FrameType::End, 2, b"answer").await;
    assert_eq!(answer(&mut kept).await.unwrap(), b"answer");
    drop(kept);
    assert!(group.with(|state| state.calls.is_empty()));
}

#[tokio::test]
async fn too_long_an_answer_is_not_kept() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let mut call = unary(&group).await;
    worker.expect(FrameType::Call, 1).await;
    for _ in 0..100 {
        worker.send(FrameType::Data, 1, &[7; 1000]).await;
    }
    worker.send(FrameType::End, 1, b"").await;
    assert_eq!(answer(&mut call).await.unwrap().len(), 2000);
}

#[tokio::test]
async fn a_waiting_call_gives_up_in_time() {
    tokio::time::pause();
    let (group, metrics) = group();
    let start = Instant::now();
    let mut call = unary(&group).await;
    let failure = poll_fn(|cx| call.poll_next(cx, identity))
        .await
        .unwrap_err();
    assert!(matches!(
        failure,
        ResidentError::Queue(QueueError::WaitTooLong)
    ));
    assert!(start.elapsed() >= limits().max_wait);
    drop(call);
    assert_eq!(metrics.waiting.get(), 0);
}

#[tokio::test]
async fn no_call_waits_in_a_worker_behind_a_long_one() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    group.with(|state| {
        state.short = SHORT;
        state.unary_time = UnaryTime(Duration::from_millis(10));
    });
    let (mut first, mut second) = (unary(&group).await, unary(&group).await);
    worker.expect(FrameType::Call, 1).await;
    assert_eq!(metrics.waiting.get(), 1);
    worker.send(FrameType::End, 1, b"answer").await;
    assert_eq!(answer(&mut first).await.unwrap(), b"answer");
    worker.expect(FrameType::Call, 2).await;
    worker.send(FrameType::End, 2, b"answer").await;
    assert_eq!(answer(&mut second).await.unwrap(), b"answer");
}

#[tokio::test]
async fn a_cancelled_call_may_end_before_its_turn() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let calls = [(); 3].map(|()| unary(&group));
    let [mut first, second, mut third] = futures_util::future::join_all(calls)
        .await
        .try_into()
        .unwrap_or_else(|_| panic!("three calls"));
    drop(second);
    for number in 1..=3 {
        worker.expect(FrameType::Call, number).await;
    }
    worker.expect(FrameType::Cancel, 2).await;
    worker.send(FrameType::End, 2, b"").await;
    worker.send(FrameType::End, 1, b"first").await;
    assert_eq!(answer(&mut first).await.unwrap(), b"first");
    worker.send(FrameType::End, 3, b"third").await;
    assert_eq!(answer(&mut third).await.unwrap(), b"third");
}
