//! The life of one link: handshake, reading and writing side by side, and its end.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use z4j_core::wire::{CloseCode, Signer};

use super::admission::Admission;
use super::closing;
use super::ends::{Reader, Writer};
use super::handshake::{self, Agreed, Failed};
use super::inbound::Inbound;
use super::presence::Presence;
use super::writer;
use crate::live::Delta;
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
struct Live<R, W> {
    presence: Presence,
    inbound: Inbound,
    signer: Signer,
    reader: R,
    writer: W,
}

/// Shakes hands over one link.
type Greeting<R, W> = Pin<Box<dyn Future<Output = Option<Box<Live<R, W>>>> + Send>>;

/// Serves one link until it ends. What happens once in a link is boxed and let go again.
pub(super) fn run<R: Reader, W: Writer>(
    shared: Arc<Shared>,
    reader: R,
    writer: W,
    admission: Admission,
) -> impl Future<Output = ()> + Send {
    live(Box::pin(greet(shared, reader, writer, admission)))
}

async fn greet<R: Reader, W: Writer>(
    shared: Arc<Shared>,
    mut reader: R,
    mut writer: W,
    admission: Admission,
) -> Option<Box<Live<R, W>>> {
    let greeted = match admission {
        Admission::Agent(agent) => {
            handshake::shake_hands(&shared, &mut reader, &mut writer, &agent).await
        }
        Admission::Refused(code) => Err(Failed::Close(code)),
    };
    let Agreed {
        presence,
        session,
        signer,
        stream: agent_stream,
    } = match greeted {
        Ok(agreed) => agreed,
        Err(Failed::Gone) => return None,
        Err(Failed::Close(code)) => {
            closing::close(&mut reader, &mut writer, code).await;
            return None;
        }
    };
    let link = presence.link();
    tracing::info!(agent = %link.agent.name, link = %link.id, worker = link.slot.as_deref(), "agent connected");
    shared
        .hub
        .publish(link.project_id(), Delta::Agent(link.agent_id()));
    shared.dispatcher.wake();
    Some(Box::new(Live {
        inbound: Inbound::new(Arc::clone(&shared), Arc::clone(link), session, agent_stream),
        presence,
        signer,
        reader,
        writer,
    }))
}

async fn live<R: Reader, W: Writer>(greeting: Greeting<R, W>) {
    let Some(mut live) = greeting.await else {
        return;
    };
    let end = live.serve().await;
    Box::pin(live.finish(end)).await;
}

impl<R: Reader, W: Writer> Live<R, W> {
    /// Reads and writes until one of both ends.
    async fn serve(&mut self) -> End {
        let Self {
            presence,
            inbound,
            signer,
            reader,
            writer,
        } = self;
        let (shared, link) = (presence.shared(), presence.link());
        let mut read = pin!(inbound.run(reader));
        let mut write = pin!(writer::run(shared, link, signer, writer));
        tokio::select! {
            biased;
            end = &mut read => end,
            end = &mut write => end,
            code = link.closing() => {
                // What is committed is acknowledged if the other end still listens; if not, its time is over.
                let _ = tokio::time::timeout(LAST_ACKS_WAIT, &mut write).await;
                End::Close(code)
            }
        }
    }

    async fn finish(self: Box<Self>, end: End) {
        let Self {
            presence,
            mut reader,
            mut writer,
            ..
        } = *self;
        let link = Arc::clone(presence.link());
        let code = match end {
            End::Close(code) => {
                // From here on the link takes no commands, and its frames count only if its rights are still good.
                link.close(code);
                Some(code)
            }
            End::Gone => None,
        };
        // Before the goodbye, which a dead peer never answers.
        presence.end().await;
        if let Some(code) = code {
            closing::close(&mut reader, &mut writer, code).await;
        }
        tracing::info!(agent = %link.agent.name, link = %link.id, code = code.map(CloseCode::code), "agent disconnected");
    }
}
