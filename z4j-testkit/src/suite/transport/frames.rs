//! Frames on their way.

use std::time::Duration;

use bytes::Bytes;
use z4j_core::limits::FRAME_BYTES_MAX;
use z4j_core::transport::FrameSource;

use super::TransportRig;
use super::rig::linked;

/// A frame that takes longer is lost.
pub(super) const FRAME_WAIT: Duration = Duration::from_secs(20);
/// More than this is not held between two ends for one that does not read.
const UNREAD_BYTES_MAX: usize = 64 << 20;

pub(super) async fn next(source: &mut dyn FrameSource) -> Bytes {
    let received = tokio::time::timeout(FRAME_WAIT, source.recv()).await;
    let received = received.expect("a frame that was sent must arrive");
    let frame = received.expect("the link is whole");
    frame.expect("the other end did not close")
}

fn numbered(number: usize) -> Bytes {
    Bytes::from(format!("{number}:{}", "x".repeat(number * 37 % 5000)))
}

pub(super) async fn frames_arrive_whole_and_in_order(rig: &dyn TransportRig) {
    let (mut here, mut there) = linked(rig).await;
    let send = async {
        for number in 0..500 {
            here.sink
                .send(numbered(number))
                .await
                .expect("the link is open");
        }
    };
    let receive = async {
        for number in 0..500 {
            assert_eq!(next(&mut *there.source).await, numbered(number));
        }
    };
    tokio::join!(send, receive);
    for number in 0..50 {
        there
            .sink
            .send(numbered(number))
            .await
            .expect("the link is open");
        assert_eq!(next(&mut *here.source).await, numbered(number));
    }
}

pub(super) async fn largest_frame_passes(rig: &dyn TransportRig) {
    let (mut here, mut there) = linked(rig).await;
    let frame = Bytes::from(vec![b'x'; FRAME_BYTES_MAX]);
    let (sent, received) = tokio::join!(here.sink.send(frame.clone()), next(&mut *there.source));
    sent.expect("a frame of the largest size is taken");
    assert!(
        received == frame,
        "the largest frame was changed on its way"
    );
}

pub(super) async fn any_bytes_pass(rig: &dyn TransportRig) {
    let (mut here, mut there) = linked(rig).await;
    // Frames are JSON, but a transport does not read them; an empty one is never sent.
    for frame in [vec![0], (0..=255).collect::<Vec<u8>>(), vec![b'\n'; 3]] {
        let frame = Bytes::from(frame);
        here.sink
            .send(frame.clone())
            .await
            .expect("the link is open");
        assert_eq!(next(&mut *there.source).await, frame);
    }
}

pub(super) async fn directions_are_independent(rig: &dyn TransportRig) {
    let (mut here, mut there) = linked(rig).await;
    let pause = Duration::from_millis(50);
    let silent = tokio::time::timeout(pause, here.source.recv()).await;
    assert!(silent.is_err(), "nothing was sent, and something came");
    here.sink.send(numbered(1)).await.expect("the link is open");
    assert_eq!(next(&mut *there.source).await, numbered(1));
    there
        .sink
        .send(numbered(2))
        .await
        .expect("the link is open");
    assert_eq!(next(&mut *here.source).await, numbered(2));
}

pub(super) async fn receiving_is_cancel_safe(rig: &dyn TransportRig) {
    let (mut here, mut there) = linked(rig).await;
    let send = async {
        for number in 0..300 {
            here.sink
                .send(numbered(number))
                .await
                .expect("the link is open");
            tokio::task::yield_now().await;
        }
    };
    let receive = async {
        let mut wanted = 0;
        while wanted < 300 {
            // Given up again and again, at a different point each time.
            let patience = Duration::from_micros(1 + wanted as u64 * 7 % 900);
            if let Ok(received) = tokio::time::timeout(patience, there.source.recv()).await {
                let frame = received.expect("the link is whole").expect("nobody closed");
                assert_eq!(
                    frame,
                    numbered(wanted),
                    "broken promise: a wait that was given up loses no frame"
                );
                wanted += 1;
            }
        }
    };
    let both = async { tokio::join!(send, receive) };
    let done = tokio::time::timeout(FRAME_WAIT * 2, both).await;
    done.expect(
        "broken promise: a wait that was given up loses no frame, and here some never came",
    );
}

pub(super) async fn unread_frames_hold_the_sender_up(rig: &dyn TransportRig) {
    let (mut here, mut there) = linked(rig).await;
    let frame = Bytes::from(vec![b'x'; 1 << 18]);
    let mut taken = 0;
    loop {
        let patience = Duration::from_millis(500);
        match tokio::time::timeout(patience, here.sink.send(frame.clone())).await {
            Err(_held_up) => break,
            Ok(sent) => sent.expect("the link is open"),
        }
        taken += frame.len();
        assert!(
            taken <= UNREAD_BYTES_MAX,
            "{taken} bytes were taken for an end that reads nothing: the queue between them has no bound"
        );
    }
    assert!(
        next(&mut *there.source).await == frame,
        "what was taken before is delivered once the end reads"
    );
}

pub(super) async fn links_do_not_mix(rig: &dyn TransportRig) {
    let mut links = Vec::new();
    for _ in 0..4 {
        links.push(linked(rig).await);
    }
    for (number, (here, _)) in links.iter_mut().enumerate() {
        here.sink
            .send(numbered(number))
            .await
            .expect("the link is open");
    }
    for (number, (_, there)) in links.iter_mut().enumerate() {
        assert_eq!(next(&mut *there.source).await, numbered(number));
    }
}
