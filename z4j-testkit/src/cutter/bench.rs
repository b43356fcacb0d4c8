//! Plays sessions one after the other on one brain.

use std::fmt;
use std::future::IntoFuture as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use z4j_agent::transport::WsTransport;
use z4j_core::env::Env;
use z4j_core::transport::Transport;

use super::session::Session;
use super::{CutReport, PausedClock, PipeDialler, Recording, Way};
use crate::glue::{BrainKit, Chance, GlueError, SeededIds};
use crate::mem::MemStore;

/// How the agent of a session delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The Rust agent.
    Rust,
    /// As the published ones: one event per frame, some of them twice.
    Stock,
}

pub(super) type Factory = Arc<dyn Fn(PipeDialler) -> Arc<dyn Transport> + Send + Sync>;

/// Sessions on one brain. Starting a brain takes longer than a session; the store in memory reads all its rows for
/// every question, so that the sessions on one must not be many.
const SESSIONS_PER_BRAIN: usize = 24;
/// Every session begins at a whole multiple of so many seconds, so that its time stamps have as many digits as those of the others.
const SESSIONS_BEGIN_EVERY: u64 = 10;

/// Plays one session again and again, each time cut elsewhere.
#[derive(Clone)]
pub struct ByteCutter {
    delivery: Delivery,
    transport: Factory,
}

impl ByteCutter {
    /// Sessions of an agent that delivers like this, over the WebSocket.
    #[must_use]
    pub fn new(delivery: Delivery) -> Self {
        Self {
            delivery,
            transport: Arc::new(|dialler| Arc::new(WsTransport::over(dialler))),
        }
    }

    /// The same over another transport.
    #[must_use]
    pub fn with_transport(
        mut self,
        make: impl Fn(PipeDialler) -> Arc<dyn Transport> + Send + Sync + 'static,
    ) -> Self {
        self.transport = Arc::new(make);
        self
    }

    /// How long a session is that nobody cuts.
    ///
    /// # Errors
    /// When the session could not be played, or something did not hold even so.
    pub fn record(&self) -> Result<Recording, GlueError> {
        let report = Bench::new(self)?.play(None)?;
        if report.violations.is_empty() && report.dials == 1 {
            Ok(report.first_connection)
        } else {
            Err(report.to_string().into())
        }
    }

    /// Plays a session for each number of bytes, whose first connection is cut when that many went this way, and
    /// hands each report to `each`.
    ///
    /// # Errors
    /// When a session could not be played. What did not hold is in its report.
    pub fn cut_each(
        &self,
        way: Way,
        bytes: impl IntoIterator<Item = u64>,
        mut each: impl FnMut(CutReport),
    ) -> Result<(), GlueError> {
        let mut bench = Bench::new(self)?;
        for after in bytes {
            if bench.sessions == SESSIONS_PER_BRAIN {
                bench = Bench::new(self)?;
            }
            each(bench.play(Some((way, after)))?);
        }
        Ok(())
    }
}

impl fmt::Debug for ByteCutter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteCutter")
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

/// What the sessions of one brain have in common.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) env: Env,
    pub(super) kit: BrainKit,
    pub(super) delivery: Delivery,
    pub(super) transport: Factory,
}

/// A brain in virtual time on which sessions are played.
struct Bench {
    // First, so that it is dropped before the runtime that it runs on.
    _brain: JoinSet<Result<(), GlueError>>,
    runtime: Runtime,
    place: Place,
    dialler: PipeDialler,
    sessions: usize,
}

impl Bench {
    fn new(cutter: &ByteCutter) -> Result<Self, GlueError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        let (dialler, listener) = PipeDialler::new();
        let kit = BrainKit::new(Arc::new(MemStore::new()));
        let mut running = JoinSet::new();
        let env = runtime.block_on(async {
            let ids = Arc::new(SeededIds::new(Chance::new(1)));
            let env = Env::new(Arc::new(PausedClock::new()), ids);
            kit.set_up(env.clone(), &[]).await?;
            let brain = kit.brain(env.clone())?;
            let router = brain.router();
            running.spawn(async move { Ok(axum::serve(listener, router).into_future().await?) });
            running.spawn(async move { Ok(brain.run(CancellationToken::new()).await?) });
            Ok::<_, GlueError>(env)
        })?;
        Ok(Self {
            _brain: running,
            runtime,
            place: Place {
                env,
                kit,
                delivery: cutter.delivery,
                transport: Arc::clone(&cutter.transport),
            },
            dialler,
            sessions: 0,
        })
    }

    fn play(&mut self, cut: Option<(Way, u64)>) -> Result<CutReport, GlueError> {
        self.sessions += 1;
        let slug = format!("session-{:04}", self.sessions);
        let dialler = self.dialler.renewed(cut);
        let place = self.place.clone();
        self.runtime.block_on(async {
            let elapsed = place.env.elapsed();
            let next = (elapsed.as_secs() / SESSIONS_BEGIN_EVERY + 1) * SESSIONS_BEGIN_EVERY;
            tokio::time::sleep(Duration::from_secs(next) - elapsed).await;
            let minted = place.kit.add_project(&place.env, &slug).await?;
            let session = Session::begin(place, minted, dialler.clone())?;
            session.play_out().await?;
            let (ledger, elapsed) = session.over();
            Ok(CutReport {
                cut,
                dials: dialler.dials(),
                first_connection: Recording {
                    to_brain: dialler.bytes(Way::ToBrain),
                    to_agent: dialler.bytes(Way::ToAgent),
                },
                virtual_time: elapsed,
                tally: ledger.tally(),
                trace: ledger.trace(),
                violations: ledger.violations(),
            })
        })
    }
}
