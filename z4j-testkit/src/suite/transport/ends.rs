//! How a link ends.

use bytes::Bytes;
use z4j_core::transport::{CloseReason, FrameSource, TransportErrorKind};

use super::TransportRig;
use super::frames::{FRAME_WAIT, next};
use super::rig::linked;

fn reason() -> CloseReason {
    CloseReason {
        code: 4003,
        text: String::new(),
    }
}

/// How the source ends: `Some` code if it says one. Frames before the end are an error.
async fn end_of(source: &mut dyn FrameSource) -> Option<u16> {
    let received = tokio::time::timeout(FRAME_WAIT, source.recv()).await;
    let received = received.expect("the other end is gone, and this one waits for ever");
    match received {
        Ok(None) => None,
        Ok(Some(frame)) => panic!("{} bytes came from an end that is gone", frame.len()),
        Err(error) => match error.kind() {
            TransportErrorKind::Closed(reason) => Some(reason.code),
            _ => None,
        },
    }
}

pub(super) async fn dialling_end_closes(rig: &dyn TransportRig) {
    let (mut here, mut there) = linked(rig).await;
    here.sink.close(reason()).await.expect("the link is open");
    let code = end_of(&mut *there.source).await;
    assert!(code.is_none_or(|code| code == 4003), "{code:?}");
}

pub(super) async fn accepting_end_closes_with_its_code(rig: &dyn TransportRig) {
    let (mut here, mut there) = linked(rig).await;
    there.sink.close(reason()).await.expect("the link is open");
    assert_eq!(
        end_of(&mut *here.source).await,
        Some(4003),
        "the code decides how long an agent waits before it dials again"
    );
}

pub(super) async fn frames_before_a_close_arrive(rig: &dyn TransportRig) {
    let (mut here, mut there) = linked(rig).await;
    for number in 0..20_u8 {
        let frame = Bytes::from(vec![number; 100]);
        there.sink.send(frame).await.expect("the link is open");
    }
    there.sink.close(reason()).await.expect("the link is open");
    for number in 0..20_u8 {
        assert_eq!(next(&mut *here.source).await, vec![number; 100]);
    }
    end_of(&mut *here.source).await;
}

pub(super) async fn dropped_end_is_noticed(rig: &dyn TransportRig) {
    let (mut here, there) = linked(rig).await;
    drop(there);
    end_of(&mut *here.source).await;
    let (here, mut there) = linked(rig).await;
    drop(here);
    end_of(&mut *there.source).await;
}

pub(super) async fn closed_link_takes_no_frame(rig: &dyn TransportRig) {
    let (mut here, mut there) = linked(rig).await;
    here.sink.close(reason()).await.expect("the link is open");
    end_of(&mut *there.source).await;
    let late = here.sink.send(Bytes::from_static(b"late")).await;
    assert!(late.is_err(), "a frame was taken by a link that is closed");
}

pub(super) async fn dialling_nobody_is_unreachable(rig: &dyn TransportRig) {
    let dialled = rig.transport().dial(&rig.deserted_endpoint()).await;
    let error = dialled.expect_err("nobody listens there");
    assert_eq!(error.kind(), &TransportErrorKind::Unreachable);
}
