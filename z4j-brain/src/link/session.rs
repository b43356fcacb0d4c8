//! The life of one link: handshake, reading and writing side by side, and its end.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::WebSocket;
use futures_util::StreamExt;
use z4j_core::store::AgentIdentity;
use z4j_core::wire::CloseCode;

use super::closing;
use super::handle::LinkHandle;
use super::handshake::{self, Agreed, Failed};
use super::inbound::Inbound;
use super::writer;
use crate::live::Delta;
use crate::ops::chain;
use crate::shared::Shared;

/// How long acks that are due may still take once the link shall be closed.
const LAST_ACKS_WAIT: Duration = Duration::from_millis(500);

/// How a link came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The other end shall be told this code.
    Close(CloseCode),
    /// The other end is gone.
    Gone,
}

/// Serves one socket until it ends.
pub(super) async fn run(shared: Arc<Shared>, mut socket: WebSocket, agent: AgentIdentity) {
    let agreed = match handshake::shake_hands(&shared, &mut socket, &agent).await {
        Ok(agreed) => agreed,
        Err(Failed::Gone) => return,
        Err(Failed::Close(code)) => return closing::refuse(socket, code).await,
    };
    let link = Arc::clone(&agreed.link);
    tracing::info!(agent = %agent.name, link = %link.id, worker = link.slot.as_deref(), "agent connected");
    shared
        .hub
        .publish(link.project_id(), Delta::Agent(link.agent_id()));
    shared.dispatcher.wake();
    let code = serve(&shared, socket, agreed).await;
    finish(&shared, &link).await;
    tracing::info!(agent = %agent.name, link = %link.id, code = code.map(CloseCode::code), "agent disconnected");
}

/// Reads and writes until one of both ends, then closes. The code that was sent, when the brain ended the link.
async fn serve(shared: &Arc<Shared>, socket: WebSocket, agreed: Agreed) -> Option<CloseCode> {
    let Agreed {
        link,
        session,
        signer,
    } = agreed;
    let (mut sink, mut stream) = socket.split();
    let end = {
        let inbound = Inbound::new(Arc::clone(shared), Arc::clone(&link), session);
        let read = inbound.run(&mut stream);
        let write = writer::run(shared, &link, signer, &mut sink);
        tokio::pin!(read, write);
        tokio::select! {
            end = &mut read => end,
            end = &mut write => end,
            code = link.closing() => {
                // What is committed is acknowledged if the other end still listens.
                let last = tokio::time::timeout(LAST_ACKS_WAIT, &mut write).await;
                last.map_or(End::Close(code), |_| End::Close(code))
            }
        }
    };
    match end {
        End::Close(code) => {
            // From here on the link takes no commands and its frames count only if its rights are still good.
            link.close(code);
            shared.links.remove(link.agent_id(), link.id);
            closing::close(&mut sink, &mut stream, code).await;
            Some(code)
        }
        End::Gone => None,
    }
}

/// Tells the store and dashboards that the link is gone.
async fn finish(shared: &Shared, link: &Arc<LinkHandle>) {
    link.close(CloseCode::GoingAway);
    handshake::forget(shared, link);
    shared
        .hub
        .publish(link.project_id(), Delta::Agent(link.agent_id()));
    if !link.has_commands() {
        return;
    }
    match shared.store.lose_link(link.id, shared.env.now()).await {
        Ok(commands) => {
            for command in commands {
                shared.dispatcher.publish(shared, command);
            }
            shared.dispatcher.wake();
        }
        // Their deadlines settle them.
        Err(error) => {
            tracing::warn!(link = %link.id, error = %chain(&error), "commands of a lost link wait for their deadline");
        }
    }
}
