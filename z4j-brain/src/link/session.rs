//! The life of one link: handshake, reading and writing side by side, and its end.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::StreamExt;
use futures_util::stream::{SplitSink, SplitStream};
use z4j_core::wire::{CloseCode, Signer};

use super::admission::Admission;
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

/// A link that lives. Boxed: most links are idle, and what an idle one takes is most of what an agent costs.
struct Live {
    shared: Arc<Shared>,
    link: Arc<LinkHandle>,
    inbound: Inbound,
    signer: Signer,
    sink: SplitSink<WebSocket, Message>,
    stream: SplitStream<WebSocket>,
}

/// Shakes hands over one socket.
type Greeting = Pin<Box<dyn Future<Output = Option<Box<Live>>> + Send>>;

/// Serves one socket until it ends. What happens once in a link is boxed and let go again.
pub(super) fn run(
    shared: Arc<Shared>,
    socket: WebSocket,
    admission: Admission,
) -> impl Future<Output = ()> + Send {
    live(Box::pin(greet(shared, socket, admission)))
}

async fn greet(
    shared: Arc<Shared>,
    mut socket: WebSocket,
    admission: Admission,
) -> Option<Box<Live>> {
    let greeted = match admission {
        Admission::Agent(agent) => handshake::shake_hands(&shared, &mut socket, &agent).await,
        Admission::Refused(code) => Err(Failed::Close(code)),
    };
    let Agreed {
        link,
        session,
        signer,
    } = match greeted {
        Ok(agreed) => agreed,
        Err(Failed::Gone) => return None,
        Err(Failed::Close(code)) => {
            closing::refuse(socket, code).await;
            return None;
        }
    };
    tracing::info!(agent = %link.agent.name, link = %link.id, worker = link.slot.as_deref(), "agent connected");
    shared
        .hub
        .publish(link.project_id(), Delta::Agent(link.agent_id()));
    shared.dispatcher.wake();
    let (sink, stream) = socket.split();
    Some(Box::new(Live {
        inbound: Inbound::new(Arc::clone(&shared), Arc::clone(&link), session),
        shared,
        link,
        signer,
        sink,
        stream,
    }))
}

async fn live(greeting: Greeting) {
    let Some(mut live) = greeting.await else {
        return;
    };
    let end = live.serve().await;
    Box::pin(live.finish(end)).await;
}

impl Live {
    /// Reads and writes until one of both ends.
    async fn serve(&mut self) -> End {
        let Self {
            shared,
            link,
            inbound,
            signer,
            sink,
            stream,
        } = self;
        let mut read = pin!(inbound.run(stream));
        let mut write = pin!(writer::run(shared, link, signer, sink));
        tokio::select! {
            end = &mut read => end,
            end = &mut write => end,
            code = link.closing() => {
                // What is committed is acknowledged if the other end still listens; if not, its time is over.
                let _ = tokio::time::timeout(LAST_ACKS_WAIT, &mut write).await;
                End::Close(code)
            }
        }
    }

    async fn finish(mut self: Box<Self>, end: End) {
        let code = match end {
            End::Close(code) => {
                // From here on the link takes no commands, and its frames count only if its rights are still good.
                self.link.close(code);
                Some(code)
            }
            End::Gone => None,
        };
        // Before the goodbye, which a dead peer never answers.
        let_go(&self.shared, &self.link).await;
        if let Some(code) = code {
            closing::close(&mut self.sink, &mut self.stream, code).await;
        }
        tracing::info!(agent = %self.link.agent.name, link = %self.link.id, code = code.map(CloseCode::code), "agent disconnected");
    }
}

/// Tells the store and dashboards that the link is gone.
async fn let_go(shared: &Shared, link: &Arc<LinkHandle>) {
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
