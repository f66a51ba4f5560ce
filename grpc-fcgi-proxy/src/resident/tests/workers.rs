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
    group.with(|state| state.retire(worker.key));
    group.with(|state| state.retire(worker.key));
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
