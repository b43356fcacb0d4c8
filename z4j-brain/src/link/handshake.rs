//! hello and hello_ack.

use std::sync::Arc;

use bytes::Bytes;
use z4j_core::id::LinkId;
use z4j_core::limits;
use z4j_core::session::{BrainInput, BrainSession, Close, Grant};
use z4j_core::store::{AgentIdentity, AgentProfile, CloseLink, OpenLink};
use z4j_core::wire::{CloseCode, Hello, Received, Refusal, Signer};

use super::ends::{Incoming, Reader, Writer};
use super::handle::LinkHandle;
use super::registry::Admitted;
use crate::ingest::{RefusalNote, redact_text};
use crate::ops::chain;
use crate::shared::Shared;

/// A link that both ends agree on.
pub(super) struct Agreed {
    pub(super) link: Arc<LinkHandle>,
    pub(super) session: BrainSession,
    pub(super) signer: Signer,
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
    shared: &Shared,
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
    let link = open(shared, agent, &hello).await?;
    match answer(shared, writer, &mut session, &link).await {
        Some(signer) => Ok(Agreed {
            link,
            session,
            signer,
        }),
        None => {
            forget(shared, &link);
            Err(Failed::Gone)
        }
    }
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
    shared: &Shared,
    agent: &AgentIdentity,
    hello: &Hello,
) -> Result<Arc<LinkHandle>, Failed> {
    let id = LinkId::from_u128(shared.env.next_id());
    let now = shared.env.now();
    let abilities = shared.links.abilities(agent.agent_id, hello);
    let link = Arc::new(LinkHandle::new(id, agent.clone(), hello, abilities, now));
    match shared.links.admit(&link) {
        Admitted::Yes => {}
        Admitted::Closed => return Err(Failed::Close(CloseCode::GoingAway)),
        Admitted::TooMany => {
            let note = RefusalNote::new(
                "too_many_links",
                "The agent has as many connections as one token may hold.",
            );
            shared.reports.refuse(shared, agent, &note);
            return Err(Failed::Close(CloseCode::TooMany));
        }
    }
    let row = OpenLink {
        link_id: id,
        agent_id: agent.agent_id,
        replica: shared.replica,
        worker_id: hello.worker_id.clone(),
        worker_role: hello.worker_role.clone(),
        pid: hello.worker_pid,
        profile: profile(shared, hello),
        at: now,
    };
    // The semaphore is never closed; without a permit the write would only be unlimited.
    let _permit = shared.links.handshakes.acquire().await;
    if let Err(error) = shared.store.open_link(row).await {
        shared.metrics.store_fault(error.kind().as_str());
        if shared.health.fail(&error) {
            tracing::error!(error = %chain(&error), "agents wait: the store does not take their links");
        }
        forget(shared, &link);
        return Err(Failed::Close(CloseCode::GoingAway));
    }
    Ok(link)
}

/// Undoes what [`open`] did.
pub(super) fn forget(shared: &Shared, link: &LinkHandle) {
    shared.links.remove(link.agent_id(), link.id);
    let close = CloseLink {
        link_id: link.id,
        at: shared.env.now(),
    };
    shared.reports.closed(close, &link.agent);
}

async fn answer(
    shared: &Shared,
    writer: &mut impl Writer,
    session: &mut BrainSession,
    link: &LinkHandle,
) -> Option<Signer> {
    let key = shared.keyring.project_key(link.project_id());
    // The brain's version stays empty: agents compare it with their own package version, and ours says nothing of theirs.
    let mut grant = Grant::new(link.agent_id(), link.project_id(), link.id, key);
    let interval = shared.config.agents.heartbeat_interval.as_secs();
    grant.heartbeat_interval_seconds = u32::try_from(interval).ok()?;
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
