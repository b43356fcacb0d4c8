//! Signs and sends what waits on one link. The only place that signs, so that frames go out in the order of their numbers.

use z4j_core::wire::{EventBatchAck, FrameType, SignError, Signer, ack_frame_id};

use super::ends::{Gone, Writer};
use super::handle::LinkHandle;
use super::inbound::silence_max;
use super::outbox::{Ack, OutgoingCommand, Waiting};
use super::session::End;
use crate::shared::Shared;

/// Sends until the link shall be closed and nothing waits any more, or the other end is gone.
pub(super) async fn run(
    shared: &Shared,
    link: &LinkHandle,
    signer: &mut Signer,
    sink: &mut impl Writer,
) -> End {
    loop {
        let waiting = link.outbox.take();
        if waiting.is_empty() {
            if let Some(code) = link.close_code() {
                return End::Close(code);
            }
            link.outbox.woken().await;
            continue;
        }
        let limit = silence_max(shared.config.agents.heartbeat_interval);
        // A peer that never reads holds the brain's memory with the acks that it does not take. Boxed: most links idle.
        let sent = Box::pin(send(shared, link, signer, sink, waiting));
        if !matches!(tokio::time::timeout(limit, sent).await, Ok(Ok(()))) {
            return End::Gone;
        }
    }
}

/// Sends everything that waited with one flush.
async fn send(
    shared: &Shared,
    link: &LinkHandle,
    signer: &mut Signer,
    sink: &mut impl Writer,
    waiting: Waiting,
) -> Result<(), Gone> {
    // A link that lost its rights is not sent commands any more; they are settled when the link is lost.
    if link.close_code().is_none() {
        for command in waiting.commands {
            match sign_command(signer, &command) {
                Ok(frame) => sink.feed(frame.into()).await?,
                Err(error) => shared
                    .dispatcher
                    .cannot_be_sent(shared, link, &command, &error),
            }
        }
    }
    let mut permits = Vec::with_capacity(waiting.acks.len());
    for ack in waiting.acks {
        if let Ok(frame) = sign_ack(signer, &ack) {
            sink.feed(frame.into()).await?;
        }
        permits.push(ack.permits);
    }
    sink.flush().await
}

fn sign_command(signer: &mut Signer, command: &OutgoingCommand) -> Result<Vec<u8>, SignError> {
    signer.sign_json(
        FrameType::Command,
        &command.id.to_string(),
        &command.payload,
    )
}

fn sign_ack(signer: &mut Signer, ack: &Ack) -> Result<Vec<u8>, SignError> {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let payload = EventBatchAck {
        acked_id: ack.frame_id.to_string(),
        received: count(ack.received),
        accepted: count(ack.accepted),
        rejected: count(ack.received.saturating_sub(ack.accepted)),
    };
    signer.sign(
        FrameType::EventBatchAck,
        &ack_frame_id(&ack.frame_id),
        &payload,
    )
}
