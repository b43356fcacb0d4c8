//! Plays a session from its first connection to its last ack.

use std::fmt;
use std::future::IntoFuture as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use z4j_agent::Agent;
use z4j_agent::transport::WsTransport;
use z4j_core::engine::EngineEvent;
use z4j_core::env::Env;
use z4j_core::id::CommandId;
use z4j_core::store::{EventStore as _, IssueOutcome, PageRequest, Store};
use z4j_core::transport::Transport;

use super::{CutReport, PausedClock, PipeDialler, PipeListener, Recording, Way};
use crate::glue::{
    BrainKit, Chance, Checks, GlueError, Ledger, Minted, ScriptedEngine, SeededIds, StockAgent,
    StockDisk, Tap, TaskScript,
};
use crate::mem::MemStore;

/// How the agent of a session delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The Rust agent.
    Rust,
    /// As the published ones: one event per frame, some of them twice.
    Stock,
}

type Factory = Arc<dyn Fn(PipeDialler) -> Arc<dyn Transport> + Send + Sync>;

const NAME: &str = "agent";
const URL: &str = "http://brain:7700";
/// The events of a session come in bursts of so many, of which the Rust agent makes one frame.
const BURST: usize = 3;
/// How often is looked at how it goes.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A session that takes longer never ends: resend time, command time and a minute to recover together.
const TIME_MAX: Duration = Duration::from_secs(240);

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
        let (report, recording) = self.play(None)?;
        if report.violations.is_empty() && report.dials == 1 {
            Ok(recording)
        } else {
            Err(report.to_string().into())
        }
    }

    /// Cuts the first connection once `after` bytes went this way.
    ///
    /// # Errors
    /// When the session could not be played. What did not hold is in the report.
    pub fn cut(&self, way: Way, after: u64) -> Result<CutReport, GlueError> {
        Ok(self.play(Some((way, after)))?.0)
    }

    fn play(&self, cut: Option<(Way, u64)>) -> Result<(CutReport, Recording), GlueError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        runtime.block_on(async {
            let (dialler, listener) = PipeDialler::new(cut);
            let session = Session::begin(self, &dialler, listener).await?;
            session.play_out().await?;
            let ledger = &session.ledger;
            let report = CutReport {
                cut,
                dials: dialler.dials(),
                virtual_time: session.env.elapsed(),
                tally: ledger.tally(),
                trace: ledger.trace(),
                violations: ledger.violations(),
            };
            let recording = Recording {
                to_brain: dialler.bytes(Way::ToBrain),
                to_agent: dialler.bytes(Way::ToAgent),
            };
            Ok((report, recording))
        })
    }
}

impl fmt::Debug for ByteCutter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteCutter")
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

/// A brain, an agent, and what goes on between them.
struct Session {
    env: Env,
    kit: BrainKit,
    mem: Arc<MemStore>,
    ledger: Ledger,
    minted: Minted,
    agent: Played,
    _running: JoinSet<Result<(), GlueError>>,
}

/// The agent's engine, where events come from.
enum Played {
    Rust(ScriptedEngine),
    Stock(StockAgent),
}

impl Played {
    fn record(&self, event: EngineEvent) {
        match self {
            Self::Rust(engine) => engine.record(event),
            Self::Stock(agent) => agent.record(&event),
        }
    }
}

impl Session {
    async fn begin(
        cutter: &ByteCutter,
        dialler: &PipeDialler,
        listener: PipeListener,
    ) -> Result<Self, GlueError> {
        let ids = Arc::new(SeededIds::new(Chance::new(1)));
        let env = Env::new(Arc::new(PausedClock::new()), ids);
        let mem = Arc::new(MemStore::new());
        let kit = BrainKit::new(Arc::<MemStore>::clone(&mem));
        let minted = kit.set_up(env.clone(), &[NAME.to_owned()]).await?;
        let minted = minted.into_iter().next().ok_or("there is no agent")?;
        let ledger = Ledger::new(env.clone(), minted.project);
        let mut running = JoinSet::new();
        let brain = kit.brain(env.clone())?;
        let router = brain.router();
        running.spawn(async move { Ok(axum::serve(listener, router).into_future().await?) });
        running.spawn(async move { Ok(brain.run(CancellationToken::new()).await?) });
        let tap = Tap::new(
            (cutter.transport)(dialler.clone()),
            NAME,
            ledger.clone(),
            Arc::<MemStore>::clone(&mem),
        );
        let agent = match cutter.delivery {
            Delivery::Rust => {
                let engine = ScriptedEngine::new(NAME, minted.id, ledger.clone());
                let agent = Agent::builder(URL, minted.credential())
                    .with_engine(engine.clone())
                    .with_transport(tap)
                    .with_env(env.clone())
                    .build()?;
                running.spawn(async move {
                    let _handle = agent.spawn();
                    std::future::pending().await
                });
                Played::Rust(engine)
            }
            Delivery::Stock => {
                let disk = StockDisk::default();
                let agent = StockAgent::new(&minted, env.clone(), disk, ledger.clone())?;
                let runs = agent.clone();
                running.spawn(async move {
                    runs.run(&tap, URL).await;
                    Ok(())
                });
                Played::Stock(agent)
            }
        };
        Ok(Self {
            env,
            kit,
            mem,
            ledger,
            minted,
            agent,
            _running: running,
        })
    }

    /// Two bursts of events with two commands between them, each step once the one before it is through.
    async fn play_out(&self) -> Result<(), GlueError> {
        let mut script = TaskScript::new(1, NAME);
        self.burst(&mut script);
        self.until("the first events are stored", || Ok(self.is_delivered()))
            .await?;
        let again = self.issue("cancel_task").await?;
        let once = self.issue("pool_grow").await?;
        self.until("the commands are settled", || {
            Ok(self.is_settled(again)? && self.is_settled(once)?)
        })
        .await?;
        self.burst(&mut script);
        self.until("the last events are stored", || Ok(self.is_delivered()))
            .await?;
        let store = Arc::<MemStore>::clone(&self.mem);
        let checks = Checks::new(store, self.ledger.clone());
        checks.run(self.env.now(), |_| true).await?;
        Ok(())
    }

    fn burst(&self, script: &mut TaskScript) {
        for _ in 0..BURST {
            self.agent.record(script.next(self.env.now()));
        }
    }

    fn is_delivered(&self) -> bool {
        self.ledger.unacked(NAME) == 0
    }

    async fn issue(&self, action: &str) -> Result<CommandId, GlueError> {
        let command = self.kit.command(&self.env, &self.minted, action);
        let id = command.id;
        match self.kit.store().issue_command(command).await? {
            IssueOutcome::Issued(_) | IssueOutcome::Repeated(_) => Ok(id),
            IssueOutcome::KeyReused => Err("a command without a key reused one".into()),
        }
    }

    fn is_settled(&self, id: CommandId) -> Result<bool, GlueError> {
        use futures_util::FutureExt as _;
        let found = self.kit.store().command(self.minted.project, id);
        let row = found.now_or_never().ok_or("the store in memory waits")??;
        Ok(row.is_some_and(|row| row.state.is_terminal()))
    }

    /// Waits, and looks all the while that no frame is stored by halves.
    async fn until(
        &self,
        what: &str,
        is_so: impl Fn() -> Result<bool, GlueError>,
    ) -> Result<(), GlueError> {
        loop {
            self.check_whole_frames().await?;
            if is_so()? {
                return Ok(());
            }
            if self.env.elapsed() > TIME_MAX {
                self.ledger.violated(format!("never came: {what}"));
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn check_whole_frames(&self) -> Result<(), GlueError> {
        for (id, tasks, events) in self.ledger.batches() {
            let mut stored = 0;
            for task in &tasks {
                let page = PageRequest::first(100);
                let rows = self
                    .mem
                    .task_events(self.minted.project, task, page)
                    .await?;
                let of_batch = rows.items.iter().filter(|row| events.contains(&row.id));
                stored += of_batch.count();
            }
            if stored != 0 && stored != events.len() {
                let what = format!(
                    "{stored} of {} events of frame {id} are stored",
                    events.len()
                );
                self.ledger.violated(what);
            }
        }
        Ok(())
    }
}
