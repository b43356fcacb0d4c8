//! Plays a session from its first connection to its last ack.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use z4j_agent::Agent;
use z4j_core::engine::EngineEvent;
use z4j_core::id::CommandId;
use z4j_core::store::{IssueOutcome, PageRequest};

use super::PipeDialler;
use super::bench::{Delivery, Place};
use crate::glue::{
    Checks, GlueError, Ledger, Minted, ScriptedEngine, StockAgent, StockDisk, Tap, TaskScript,
};

const URL: &str = "http://brain:7700";
/// The events before and after the commands; the Rust agent makes one frame of each burst.
const BURSTS: (usize, usize) = (3, 1);
/// How often is looked at how it goes.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A session that takes longer never ends: resend time, command time and a minute to recover together.
const TIME_MAX: Duration = Duration::from_secs(240);
/// For what is still on its way when all is settled, such as the ack of a batch that came twice, and for one more link.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// An agent, its brain, and what goes on between them.
pub(super) struct Session {
    place: Place,
    began: Duration,
    ledger: Ledger,
    minted: Minted,
    agent: Played,
    _running: JoinSet<()>,
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
    pub(super) fn begin(
        place: Place,
        minted: Minted,
        dialler: PipeDialler,
    ) -> Result<Self, GlueError> {
        let env = place.env.clone();
        let ledger = Ledger::new(env.clone(), minted.project);
        let tap = Tap::new(
            (place.transport)(dialler),
            &minted.name,
            ledger.clone(),
            Arc::clone(place.kit.store()),
        );
        let mut running = JoinSet::new();
        let agent = match place.delivery {
            Delivery::Rust => {
                let engine = ScriptedEngine::new(&minted.name, minted.id, ledger.clone());
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
                running.spawn(async move { runs.run(&tap, URL).await });
                Played::Stock(agent)
            }
        };
        Ok(Self {
            began: env.elapsed(),
            place,
            ledger,
            minted,
            agent,
            _running: running,
        })
    }

    /// Two bursts of events with two commands between them, each step once the one before it is through.
    pub(super) async fn play_out(&self) -> Result<(), GlueError> {
        let mut script = TaskScript::new(1, &self.minted.name);
        self.burst(&mut script, BURSTS.0);
        self.until("the first events are stored", || Ok(self.is_delivered()))
            .await?;
        let again = self.issue("cancel_task").await?;
        let once = self.issue("pool_grow").await?;
        self.until("the commands are settled", || {
            Ok(self.is_settled(again)? && self.is_settled(once)?)
        })
        .await?;
        self.burst(&mut script, BURSTS.1);
        self.until("the last events are stored", || Ok(self.is_delivered()))
            .await?;
        tokio::time::sleep(LAST_WORDS).await;
        let store = Arc::clone(self.place.kit.store());
        let checks = Checks::new(store, self.ledger.clone());
        checks.run(self.place.env.now(), |_| true).await?;
        Ok(())
    }

    /// Ends the agent; answers what was noted and how long it took.
    pub(super) fn over(self) -> (Ledger, Duration) {
        let elapsed = self.place.env.elapsed().saturating_sub(self.began);
        (self.ledger, elapsed)
    }

    fn burst(&self, script: &mut TaskScript, events: usize) {
        for _ in 0..events {
            self.agent.record(script.next(self.place.env.now()));
        }
    }

    fn is_delivered(&self) -> bool {
        self.ledger.unacked(&self.minted.name) == 0
    }

    async fn issue(&self, action: &str) -> Result<CommandId, GlueError> {
        let kit = &self.place.kit;
        let command = kit.command(&self.place.env, &self.minted, action);
        let id = command.id;
        match kit.store().issue_command(command).await? {
            IssueOutcome::Issued(_) | IssueOutcome::Repeated(_) => Ok(id),
            IssueOutcome::KeyReused => Err("a command without a key reused one".into()),
        }
    }

    fn is_settled(&self, id: CommandId) -> Result<bool, GlueError> {
        let found = self.place.kit.store().command(self.minted.project, id);
        let row = found.now_or_never().ok_or("the store in memory waits")??;
        Ok(row.is_some_and(|row| row.state.is_terminal()))
    }

    /// Waits, and looks all the while that no frame is stored by halves.
    async fn until(
        &self,
        what: &str,
        is_so: impl Fn() -> Result<bool, GlueError>,
    ) -> Result<(), GlueError> {
        let mut links = 0;
        loop {
            // What a lost link leaves behind is there when the next one opens.
            let tally = self.ledger.tally();
            if links != tally.links + tally.ends {
                links = tally.links + tally.ends;
                self.check_whole_frames().await?;
            }
            if is_so()? {
                return self.check_whole_frames().await;
            }
            if self.place.env.elapsed().saturating_sub(self.began) > TIME_MAX {
                self.ledger.violated(format!("never came: {what}"));
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn check_whole_frames(&self) -> Result<(), GlueError> {
        let store = self.place.kit.store();
        for (id, tasks, events) in self.ledger.batches() {
            let mut stored = 0;
            for task in &tasks {
                let page = PageRequest::first(100);
                let rows = store.task_events(self.minted.project, task, page).await?;
                let of_batch = rows.items.iter().filter(|row| events.contains(&row.id));
                stored += of_batch.count();
            }
            if stored != 0 && stored != events.len() {
                let events = events.len();
                self.ledger.violated(format!(
                    "{stored} of {events} events of frame {id} are stored"
                ));
            }
        }
        Ok(())
    }
}
