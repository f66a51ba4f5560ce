//! The ends of workers.

use super::*;

#[tokio::test]
async fn calls_behind_the_first_go_to_another_worker_when_theirs_ends() {
    for begun in [false, true] {
        let (group, metrics) = group();
        let mut first = Worker::join(&group, &metrics);
        let (mut dying, mut behind) = (unary(&group).await, unary(&group).await);
        first.expect(FrameType::Call, 1).await;
        first.expect(FrameType::Call, 2).await;
        if begun {
            first.send(FrameType::Data, 1, b"ans").await;
        }
        drop(first);
        let failure = answer(&mut dying).await.unwrap_err();
        match failure {
            ResidentError::Failure(Failure::CutShort) => assert!(begun),
            ResidentError::Failure(Failure::NoAnswer) => assert!(!begun),
            error => panic!("{error}"),
        }
        let mut second = Worker::join(&group, &metrics);
        second.expect(FrameType::Call, 1).await;
        second.send(FrameType::End, 1, b"answer").await;
        assert_eq!(answer(&mut behind).await.unwrap(), b"answer");
        assert_eq!(metrics.waiting.get(), 0);
    }
}

#[tokio::test]
async fn a_worker_that_breaks_the_rules_is_closed() {
    let credit = encode_credit(1, 1);
    let table: [(&[u8], &str); 6] = [
        (b"\0\0\0\x04\0\0\0\x02", "before its turn"),
        (b"\0\0\0\x04\0\0\0\x04", "which has not begun"),
        (b"\0\0\0\x02\0\0\0\x01", "no frame of type 0x02"),
        (b"\0\0\x04\x05\0\0\0\x03\0\0\x01\0", "more credit"),
        (b"\xff\0\0\x03\0\0\0\x01", "longer than 1 MiB"),
        (b"\0\0\x01\x07\0\0\0\0\x09", "level 9"),
    ];
    for (bytes, reason) in table {
        let (group, metrics) = group();
        let mut worker = Worker::join(&group, &metrics);
        let (mut call, _behind) = (unary(&group).await, unary(&group).await);
        let _stream = begin(&group, CallKind::BidiStream, &[]).await;
        // Unary calls need no credit, and get none.
        worker.socket.write_all(&credit).await.unwrap();
        worker.socket.write_all(bytes).await.unwrap();
        let end = worker.end().await;
        assert!(end.contains(reason), "{end}");
        assert!(answer(&mut call).await.is_err());
    }
}

#[tokio::test]
async fn a_worker_that_does_not_end_a_cancelled_call_is_given_up() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    drop(unary(&group).await);
    let mut behind = unary(&group).await;
    worker.expect(FrameType::Call, 1).await;
    let watched = Arc::clone(&group);
    let watch = tokio::spawn(async move { watched.watch().await });
    assert_eq!((&mut worker.replaced).await.unwrap(), Retirement::Stuck);
    let Worker {
        socket: _open, end, ..
    } = worker;
    assert_eq!(end.await.unwrap(), "the worker was given up");
    let mut second = Worker::join(&group, &metrics);
    second.expect(FrameType::Call, 1).await;
    second.send(FrameType::End, 1, b"answer").await;
    assert_eq!(answer(&mut behind).await.unwrap(), b"answer");
    watch.abort();
}

#[tokio::test]
async fn a_worker_that_wants_no_further_call_is_told_that_none_follows() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let mut call = unary(&group).await;
    worker.expect(FrameType::Call, 1).await;
    worker.send(FrameType::Retire, 0, b"").await;
    worker.expect(FrameType::Retire, 0).await;
    assert_eq!((&mut worker.replaced).await.unwrap(), Retirement::Asked);
    // This one waits for another worker.
    let _waiting = unary(&group).await;
    assert_eq!(metrics.waiting.get(), 1);
    worker.send(FrameType::End, 1, b"answer").await;
    assert_eq!(answer(&mut call).await.unwrap(), b"answer");
    assert_eq!(metrics.waiting.get(), 1);
}

#[tokio::test]
async fn a_retired_worker_gets_no_further_call() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    group.with(|state| state.retire(worker.id));
    group.with(|state| state.retire(worker.id));
    worker.expect(FrameType::Retire, 0).await;
    let _waiting = unary(&group).await;
    assert_eq!(metrics.waiting.get(), 1);
}

#[tokio::test]
async fn a_worker_is_to_be_replaced_after_its_number_of_calls() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let _calls = [unary(&group).await, unary(&group).await];
    assert!(worker.replaced.try_recv().is_err());
    let _third = unary(&group).await;
    assert_eq!((&mut worker.replaced).await.unwrap(), Retirement::Calls);
}

#[tokio::test]
async fn a_cancelled_call_that_waits_behind_another_does_not_make_the_worker_stuck() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let (mut first, behind) = (unary(&group).await, unary(&group).await);
    worker.expect(FrameType::Call, 1).await;
    worker.expect(FrameType::Call, 2).await;
    drop(behind);
    worker.expect(FrameType::Cancel, 2).await;
    let later = || Instant::now() + Duration::from_secs(100);
    group.with(|state| state.give_up_stuck(later()));
    assert!(worker.replaced.try_recv().is_err());
    worker.send(FrameType::End, 1, b"answer").await;
    assert_eq!(answer(&mut first).await.unwrap(), b"answer");
    // Now it may run.
    group.with(|state| state.give_up_stuck(later()));
    assert_eq!((&mut worker.replaced).await.unwrap(), Retirement::Stuck);
}

#[tokio::test]
async fn the_streams_of_a_worker_that_is_being_replaced_are_aborted_and_cancelled() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let mut stream = begin(&group, CallKind::BidiStream, &[b"in"]).await;
    let mut call = unary(&group).await;
    worker.expect(FrameType::Call, 1).await;
    worker.expect(FrameType::Call, 2).await;
    worker.send(FrameType::Data, 1, b"unread").await;
    group.with(|state| state.retire(worker.id));
    worker.expect(FrameType::Retire, 0).await;
    assert_eq!(group.with(|state| state.abort_streams(worker.id)), 1);
    let failure = next(&mut stream).await.unwrap_err();
    assert!(
        matches!(failure, ResidentError::Failure(Failure::Replaced)),
        "{failure}"
    );
    drop(stream);
    worker.expect(FrameType::Cancel, 1).await;
    // What it sends before it reads that is ignored.
    worker.send(FrameType::Data, 1, b"more").await;
    worker.send(FrameType::End, 1, b"").await;
    worker.send(FrameType::End, 2, b"answer").await;
    assert_eq!(answer(&mut call).await.unwrap(), b"answer");
    assert_eq!(group.with(|state| state.abort_streams(worker.id)), 0);
}

#[tokio::test]
async fn a_worker_that_has_ended_is_not_taken_for_its_successor() {
    let (group, metrics) = group();
    let worker = Worker::join(&group, &metrics);
    let old = worker.id;
    drop(worker.socket);
    worker.end.await.unwrap();
    let mut next = Worker::join(&group, &metrics);
    assert_eq!(next.id.key, old.key);
    group.with(|state| {
        state.retire(old);
        state.give_up(old);
        assert_eq!(state.abort_streams(old), 0);
    });
    let mut call = unary(&group).await;
    next.expect(FrameType::Call, 1).await;
    next.send(FrameType::End, 1, b"answer").await;
    assert_eq!(answer(&mut call).await.unwrap(), b"answer");
}

#[tokio::test]
async fn a_worker_that_exits_says_which_calls_have_not_begun() {
    let (group, metrics) = group();
    let mut first = Worker::join(&group, &metrics);
    let (mut exiting, mut behind) = (unary(&group).await, unary(&group).await);
    let mut too_large = unary(&group).await;
    for number in 1..=3 {
        first.expect(FrameType::Call, number).await;
    }
    first.send(FrameType::Exit, 1, b"").await;
    for (number, call) in [(3, &mut too_large), (1, &mut exiting)] {
        first.send(FrameType::End, number, b"early").await;
        assert_eq!(answer(call).await.unwrap(), b"early");
    }
    // It is not free, although nothing runs in it.
    let mut late = unary(&group).await;
    assert_eq!(metrics.waiting.get(), 1);
    drop(first.socket);
    first.end.await.unwrap();
    let mut second = Worker::join(&group, &metrics);
    for (number, call) in [(1, &mut behind), (2, &mut late)] {
        second.expect(FrameType::Call, number).await;
        second.send(FrameType::End, number, b"answer").await;
        assert_eq!(answer(call).await.unwrap(), b"answer");
    }
}

#[tokio::test]
async fn a_worker_may_not_end_a_call_that_it_cannot_know() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let large = stream::iter([Ok(Bytes::from(vec![7; 8 << 20]))]);
    let mut first = try_begin(&group, CallKind::Unary, large).await.unwrap();
    worker.socket.readable().await.unwrap();
    // It reads nothing, so this one waits in the proxy.
    let mut second = unary(&group).await;
    worker.send(FrameType::End, 1, b"answer").await;
    worker.send(FrameType::End, 2, b"answer").await;
    assert!(worker.end().await.contains("which has not begun"));
    assert_eq!(answer(&mut first).await.unwrap(), b"answer");
    assert!(answer(&mut second).await.is_err());
}

#[tokio::test]
async fn what_a_worker_sends_for_a_call_that_is_over_is_ignored() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let mut call = unary(&group).await;
    let mut stream = begin(&group, CallKind::ServerStream, &[b"in"]).await;
    worker.expect(FrameType::Call, 1).await;
    worker.expect(FrameType::Call, 2).await;
    for number in [1, 2, 1, 2] {
        worker.send(FrameType::End, number, b"answer").await;
    }
    for number in [1, 2] {
        // More than any credit.
        worker.send(FrameType::Data, number, &[7; 100_000]).await;
        let credit = encode_credit(number, u32::MAX);
        worker.socket.write_all(&credit).await.unwrap();
        worker.send(FrameType::Log, number, b"\x04late").await;
    }
    for call in [&mut call, &mut stream] {
        assert_eq!(answer(call).await.unwrap(), b"answer");
    }
    let mut next = unary(&group).await;
    worker.expect(FrameType::Call, 3).await;
    worker.send(FrameType::End, 3, b"next").await;
    assert_eq!(answer(&mut next).await.unwrap(), b"next");
}

#[tokio::test]
async fn a_worker_that_exits_is_replaced_even_if_it_stays() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let mut call = unary(&group).await;
    worker.expect(FrameType::Call, 1).await;
    worker.send(FrameType::Exit, 1, b"").await;
    worker.send(FrameType::End, 1, b"early").await;
    assert_eq!(answer(&mut call).await.unwrap(), b"early");
    assert_eq!((&mut worker.replaced).await.unwrap(), Retirement::Asked);
}
