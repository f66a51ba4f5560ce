//! Streaming calls.

use super::*;
use crate::waiting::QueueError;

#[tokio::test]
async fn streams_over_the_limit_are_refused() {
    let (group, metrics) = group();
    let _worker = Worker::join(&group, &metrics);
    let _streams = [
        begin(&group, CallKind::BidiStream, &[]).await,
        begin(&group, CallKind::ServerStream, &[b"in"]).await,
    ];
    let refused = try_begin(&group, CallKind::BidiStream, requests(&[])).await;
    assert!(matches!(
        refused,
        Err(ResidentError::Queue(QueueError::TooManyStreams))
    ));
}

#[tokio::test]
async fn the_input_of_a_stream_waits_for_credit() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let input = Bytes::from(vec![7; 100_000]);
    let input = stream::iter([Ok(input)]);
    let mut call = try_begin(&group, CallKind::ClientStream, input)
        .await
        .unwrap();
    let first = worker.expect(FrameType::Call, 1).await;
    assert_eq!(first.len(), 41 + 65_536);
    assert!(poll_fn(|cx| Poll::Ready(call.poll_next(cx, identity).is_pending())).await);
    worker.send(FrameType::Credit, 1, &[0, 0, 0x40, 0]).await;
    worker.send(FrameType::Credit, 1, &[0, 0, 0xc0, 0]).await;
    let reading = async {
        let mut received = 0;
        loop {
            match worker.frame().await {
                (3, 1, data) => received += data.len(),
                (4, 1, _) => break received,
                frame => panic!("{frame:?}"),
            }
        }
    };
    tokio::select! {
        received = reading => assert_eq!(received, 100_000 - 65_536),
        answer = next(&mut call) => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn the_answer_of_a_stream_returns_credit_as_it_is_taken() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let mut call = begin(&group, CallKind::ServerStream, &[b"in"]).await;
    worker.expect(FrameType::Call, 1).await;
    let half = vec![7; 32_768];
    worker.send(FrameType::Data, 1, &half).await;
    worker.send(FrameType::Data, 1, &half).await;
    assert_eq!(next(&mut call).await.unwrap().unwrap().len(), 32_768);
    assert_eq!(worker.expect(FrameType::Credit, 1).await, [0, 0, 0x80, 0]);
    worker.send(FrameType::Data, 1, &half).await;
    // One byte more than the client has taken.
    worker.send(FrameType::Data, 1, b"x").await;
    assert!(worker.end().await.contains("than its credit allows"));
    assert!(matches!(
        answer(&mut call).await,
        Err(ResidentError::Failure(Failure::CutShort))
    ));
}

#[tokio::test]
async fn input_that_comes_later_is_sent_as_it_comes() {
    let (group, metrics) = group();
    let mut worker = Worker::join(&group, &metrics);
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let input = stream::poll_fn(move |cx| receiver.poll_recv(cx));
    let mut call = try_begin(&group, CallKind::BidiStream, input)
        .await
        .unwrap();
    let payload = worker.expect(FrameType::Call, 1).await;
    assert_eq!((payload[0], payload[1]), (3, 0));
    let polled = tokio::spawn(async move { next(&mut call).await });
    sender.send(Ok(Bytes::from_static(b"one"))).unwrap();
    assert_eq!(worker.expect(FrameType::Data, 1).await, b"one");
    drop(sender);
    worker.expect(FrameType::End, 1).await;
    worker.send(FrameType::End, 1, b"").await;
    assert_eq!(polled.await.unwrap().unwrap(), None);
    assert_eq!(CREDIT, 65_536);
}

#[tokio::test]
async fn input_that_ends_while_the_call_waits_ends_in_the_worker() {
    for first in [None, Some(Bytes::from_static(b"one"))] {
        let (group, metrics) = group();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let sent = first.clone().unwrap_or_default();
        if let Some(first) = first {
            sender.send(Ok(first)).unwrap();
        }
        let input = stream::poll_fn(move |cx| receiver.poll_recv(cx));
        let mut call = try_begin(&group, CallKind::ClientStream, input)
            .await
            .unwrap();
        drop(sender);
        assert!(poll_fn(|cx| Poll::Ready(call.poll_next(cx, identity).is_pending())).await);
        let mut worker = Worker::join(&group, &metrics);
        let payload = worker.expect(FrameType::Call, 1).await;
        assert_eq!(&payload[41..], sent);
        worker.expect(FrameType::End, 1).await;
        worker.send(FrameType::End, 1, b"answer").await;
        assert_eq!(answer(&mut call).await.unwrap(), b"answer");
    }
}
