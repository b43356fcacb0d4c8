//! hello and hello_ack.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use z4j_core::id::LinkId;
use z4j_core::limits;
use z4j_core::session::{BrainInput, BrainSession, Close, Grant};
use z4j_core::store::{AgentIdentity, AgentProfile, OpenLink, StoreErrorKind, StreamKey};
use z4j_core::wire::{CloseCode, Hello, HelloAckStream, Received, Refusal, Signer};

use super::ends::{Incoming, Reader, Writer};
use super::handle::LinkHandle;
use super::presence::Presence;
use super::registry::Refused;
use super::stream::LinkStream;
use crate::ingest::{RefusalNote, redact_text};
use crate::ops::chain;
use crate::shared::Shared;

/// How long frames of an earlier link may take to be stored before the agent is sent away to try again: less than the ten seconds
/// that it waits for hello_ack.
const STREAM_WAIT: Duration = Duration::from_secs(5);

/// A link that both ends agree on.
pub(super) struct Agreed {
    pub(super) presence: Presence,
    pub(super) session: BrainSession,
    pub(super) signer: Signer,
    pub(super) stream: Option<LinkStream>,
}

/// Why there is no link.
pub(super) enum Failed {
    /// The other end shall be told so.
    Close(CloseCode),
    /// The other end is gone.
    Gone,
}

/// Waits for hello, makes the link known and answers. The store hears of the link before the agent does.
pub(super) async fn shake_hands(
    shared: &Arc<Shared>,
    reader: &mut impl Reader,
    writer: &mut impl Writer,
    agent: &AgentIdentity,
) -> Result<Agreed, Failed> {
    let mut session = BrainSession::new(shared.env.elapsed());
    let Ok(message) = tokio::time::timeout(limits::HELLO_WAIT, first_message(reader)).await else {
        let note = RefusalNote::new(
            "bad_hello",
            "The agent connected and said nothing for ten seconds.",
        );
        shared.reports.refuse(shared, agent, &note);
        return Err(Failed::Close(CloseCode::Idle));
    };
    let hello = match session.on_frame(&message?, Received::now(&shared.env)) {
        Ok(BrainInput::Hello(hello)) => hello,
        Ok(BrainInput::Frame(_)) => return Err(Failed::Close(CloseCode::BadRequest)),
        Err(close) => return Err(refuse(shared, agent, &close)),
    };
    let presence = open(shared, agent, &hello).await?;
    let link = presence.link();
    let stream = stream(shared, link, &hello).await?;
    // The other end may ask for something as soon as it has the answer.
    link.take_commands();
    let Some(signer) = answer(shared, writer, &mut session, link, stream.as_ref()).await else {
        presence.end().await;
        return Err(Failed::Gone);
    };
    Ok(Agreed {
        presence,
        session,
        signer,
        stream,
    })
}

async fn first_message(reader: &mut impl Reader) -> Result<Bytes, Failed> {
    match reader.next().await {
        Incoming::Frame(frame) => Ok(frame),
        Incoming::TooBig => Err(Failed::Close(CloseCode::BadRequest)),
        Incoming::Gone => Err(Failed::Gone),
    }
}

fn refuse(shared: &Shared, agent: &AgentIdentity, close: &Close) -> Failed {
    let note = match &close.refusal {
        Some(Refusal::Malformed | Refusal::UnknownType) | None => {
            RefusalNote::frame(&Refusal::NotHello)
        }
        Some(other) => RefusalNote::frame(other),
    };
    shared.reports.refuse(shared, agent, &note);
    Failed::Close(close.code)
}

async fn open(
    shared: &Arc<Shared>,
    agent: &AgentIdentity,
    hello: &Hello,
) -> Result<Presence, Failed> {
    let id = LinkId::from_u128(shared.env.next_id());
    let now = shared.env.now();
    let abilities = shared.links.abilities(agent.agent_id, hello);
    let link = LinkHandle::new(id, agent.clone(), hello, abilities, now);
    let presence = match Presence::begin(shared, link) {
        Ok(presence) => presence,
        Err(Refused::BrainStops) => return Err(Failed::Close(CloseCode::GoingAway)),
        Err(Refused::TooMany) => {
            let note = RefusalNote::new(
                "too_many_links",
                "The agent has as many connections as one token may hold.",
            );
            shared.reports.refuse(shared, agent, &note);
            return Err(Failed::Close(CloseCode::TooMany));
        }
    };
    let link = presence.link();
    // Before the store hears of the link, and with it people.
    if let Err(code) = wait_for_earlier(shared, link, hello).await {
        return Err(Failed::Close(code));
    }
    let row = OpenLink {
        link_id: id,
        agent_id: agent.agent_id,
        replica: shared.replicas.own(),
        worker_id: hello.worker_id.clone(),
        worker_role: hello.worker_role.clone(),
        pid: hello.worker_pid,
        started_at: link.started_at,
        profile: profile(shared, hello),
        at: now,
    };
    // The semaphore is never closed; without a permit the write would only be unlimited.
    let _permit = shared.links.handshakes.acquire().await;
    if let Err(error) = shared.store.open_link(row).await {
        if error.kind() == StoreErrorKind::Fenced {
            // The store takes links, but not from a brain that it counts as dead.
            shared.replicas.doubt();
        } else {
            shared.metrics.store_fault(error.kind().as_str());
        }
        if error.kind() != StoreErrorKind::Fenced && shared.health.fail(&error) {
            tracing::error!(error = %chain(&error), "agents wait: the store does not take their links");
        }
        return Err(Failed::Close(CloseCode::GoingAway));
    }
    Ok(presence)
}

fn stream_key(link: &LinkHandle, hello: &Hello) -> Option<StreamKey> {
    Some(StreamKey {
        project_id: link.project_id(),
        agent_id: link.agent_id(),
        stream_id: hello.resumable_stream()?,
    })
}

/// Waits for what an earlier link of the agent sent of its stream and is not stored yet. That link is being closed: it took this
/// one's place.
async fn wait_for_earlier(
    shared: &Shared,
    link: &LinkHandle,
    hello: &Hello,
) -> Result<(), CloseCode> {
    let Some(key) = stream_key(link, hello) else {
        return Ok(());
    };
    let settled = shared.committer.streams.settled(key);
    let settled = tokio::time::timeout(STREAM_WAIT, settled);
    tokio::select! {
        biased;
        code = link.closing() => Err(code),
        settled = settled => settled.map_err(|_| {
            tracing::warn!(agent = %link.agent.name, "an agent waits: what it sent before is not stored yet");
            CloseCode::GoingAway
        }),
    }
}

/// Where the agent's stream goes on, if it offers one.
async fn stream(
    shared: &Shared,
    link: &LinkHandle,
    hello: &Hello,
) -> Result<Option<LinkStream>, Failed> {
    let Some(key) = stream_key(link, hello) else {
        return Ok(None);
    };
    match shared.store.stream_position(key).await {
        Ok(position) => Ok(Some(LinkStream::new(key, position))),
        Err(error) => {
            shared.metrics.store_fault(error.kind().as_str());
            tracing::warn!(agent = %link.agent.name, error = %chain(&error), "an agent waits: the store does not say where its stream goes on");
            Err(Failed::Close(CloseCode::GoingAway))
        }
    }
}

async fn answer(
    shared: &Shared,
    writer: &mut impl Writer,
    session: &mut BrainSession,
    link: &LinkHandle,
    stream: Option<&LinkStream>,
) -> Option<Signer> {
    let key = shared.keyring.project_key(link.project_id());
    // The brain's version stays empty: agents compare it with their own package version, and ours says nothing of theirs.
    let mut grant = Grant::new(link.agent_id(), link.project_id(), link.id, key);
    let interval = shared.config.agents.heartbeat_interval.as_secs();
    grant.heartbeat_interval_seconds = u32::try_from(interval).ok()?;
    grant.stream = stream.map(|stream| HelloAckStream {
        position: stream.position(),
    });
    let accepted = session.accept(&grant, &shared.env).ok()?;
    writer.feed(accepted.hello_ack.into()).await.ok()?;
    writer.flush().await.ok()?;
    Some(accepted.signer)
}

fn profile(shared: &Shared, hello: &Hello) -> AgentProfile {
    let host = hello.host.name.as_deref();
    AgentProfile {
        framework: Some(hello.framework.clone()),
        agent_version: Some(hello.agent_version.clone()),
        protocol_version: Some(hello.protocol_version.clone()),
        host: host.map(|name| redact_text(&*shared.redactor, name)),
        engines: hello.engines.clone(),
        schedulers: hello.schedulers.clone(),
        capabilities: hello.capabilities.clone(),
    }
}
