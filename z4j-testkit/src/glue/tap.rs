//! A transport that tells a ledger what goes over it, and that can repeat what was sent.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use z4j_core::id::EventId;
use z4j_core::store::Store;
use z4j_core::transport::{
    CloseReason, Endpoint, FrameSink, FrameSource, Link, Transport, TransportError,
};

use super::checks::is_stored;
use super::ledger::{LinkId, Way};
use super::{Chance, Ledger};

/// Wraps a transport: what goes over its links is told to a ledger, and every ack is held against the store at once.
#[derive(Clone, Debug)]
pub struct Tap {
    inner: Arc<dyn Transport>,
    ledger: Ledger,
    store: Arc<dyn Store>,
    agent: Arc<str>,
    replays: Option<Replays>,
}

/// Repeats one signed frame in so many, byte for byte.
#[derive(Clone, Debug)]
struct Replays {
    one_in: u64,
    chance: Arc<Mutex<Chance>>,
    until: Duration,
}

impl Tap {
    /// Listens to the links of `agent`.
    #[must_use]
    pub fn new(
        inner: Arc<dyn Transport>,
        agent: &str,
        ledger: Ledger,
        store: Arc<dyn Store>,
    ) -> Self {
        Self {
            inner,
            ledger,
            store,
            agent: agent.into(),
            replays: None,
        }
    }

    /// The same, but until then one sent frame in `one_in` is sent twice byte for byte, which a brain must refuse.
    #[must_use]
    pub fn replaying(mut self, one_in: u64, chance: Chance, until: Duration) -> Self {
        self.replays = Some(Replays {
            one_in,
            chance: Arc::new(Mutex::new(chance)),
            until,
        });
        self
    }
}

#[async_trait]
impl Transport for Tap {
    async fn dial(&self, endpoint: &Endpoint) -> Result<Link, TransportError> {
        match self.inner.dial(endpoint).await {
            Ok(link) => {
                let half = Half {
                    id: self.ledger.opened(&self.agent),
                    tap: self.clone(),
                };
                let open = Arc::new(Open(half.clone()));
                Ok(Link {
                    sink: Box::new(TapSink {
                        inner: link.sink,
                        half: half.clone(),
                        _open: Arc::clone(&open),
                    }),
                    source: Box::new(TapSource {
                        inner: link.source,
                        half,
                        _open: open,
                    }),
                    peer: link.peer,
                })
            }
            Err(error) => {
                self.ledger.failed_dial(&self.agent, &error.to_string());
                Err(error)
            }
        }
    }
}

/// What both halves of a link know.
#[derive(Clone, Debug)]
struct Half {
    id: LinkId,
    tap: Tap,
}

impl Half {
    fn fails(&self, error: TransportError) -> TransportError {
        self.tap.ledger.ended(&self.id, &error.to_string());
        error
    }

    /// An ack is a promise that what it names is stored now, not soon.
    fn check_acked(&self, events: Vec<EventId>) {
        for event in events {
            let stored = is_stored(&*self.tap.store, &self.tap.ledger, event).now_or_never();
            if stored == Some(false) {
                let agent = &self.id.agent;
                let what = format!("{agent} has an ack for the event {event}, which is not stored");
                self.tap.ledger.violated(what);
            }
        }
    }
}

/// When the last half is dropped the link is over, whatever was heard of it.
#[derive(Debug)]
struct Open(Half);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.tap.ledger.ended(&self.0.id, "dropped");
    }
}

#[derive(Debug)]
struct TapSink {
    inner: Box<dyn FrameSink>,
    half: Half,
    _open: Arc<Open>,
}

#[async_trait]
impl FrameSink for TapSink {
    async fn send(&mut self, frame: Bytes) -> Result<(), TransportError> {
        let half = &self.half;
        half.tap.ledger.passed(&half.id, Way::ToBrain, &frame);
        let sent = self.inner.send(frame.clone()).await;
        sent.map_err(|error| half.fails(error))?;
        let repeats = half.tap.replays.as_ref().is_some_and(|replays| {
            let mut chance = replays
                .chance
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            half.tap.ledger.elapsed() < replays.until && chance.one_in(replays.one_in)
        });
        if repeats {
            half.tap.ledger.replayed(&half.id);
            let sent = self.inner.send(frame).await;
            sent.map_err(|error| half.fails(error))?;
        }
        Ok(())
    }

    async fn close(&mut self, reason: CloseReason) -> Result<(), TransportError> {
        let why = format!("closed by the agent with {}", reason.code);
        self.half.tap.ledger.ended(&self.half.id, &why);
        self.inner.close(reason).await
    }
}

#[derive(Debug)]
struct TapSource {
    inner: Box<dyn FrameSource>,
    half: Half,
    _open: Arc<Open>,
}

#[async_trait]
impl FrameSource for TapSource {
    async fn recv(&mut self) -> Result<Option<Bytes>, TransportError> {
        let half = &self.half;
        match self.inner.recv().await {
            Ok(Some(frame)) => {
                let acked = half.tap.ledger.passed(&half.id, Way::ToAgent, &frame);
                half.check_acked(acked);
                Ok(Some(frame))
            }
            Ok(None) => {
                half.tap.ledger.ended(&half.id, "the brain closed");
                Ok(None)
            }
            Err(error) => Err(half.fails(error)),
        }
    }
}
