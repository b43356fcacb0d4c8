//! A brain that grows: driven over the wire in measured slices, and filled fast between them.

use std::time::Duration;

use anyhow::Context;
use z4j_core::env::Env;
use z4j_core::id::AgentId;
use z4j_core::time::Timestamp;

use crate::credentials::Credentials;
use crate::decay::LOAD;
use crate::driver::Load;
use crate::ingest::{closed_run, work};
use crate::loader;
use crate::meter::number;
use crate::population::Population;
use crate::postgres::Database;
use crate::ready::{OwnBrain, Ready};
use crate::store_alone::Tenant;
use crate::target::Target;

/// Tasks that are sent at once to a brain that can only be filled over the wire.
const WIRE_FILL_TASKS: u64 = 40_000;

enum Growing {
    Own(Box<Own>),
    Foreign(Box<Ready>),
}

/// A brain and how much is in it.
pub(crate) struct Grown {
    brain: Growing,
    /// Tasks that this run stored in it.
    pub(crate) stored: u64,
}

struct Own {
    brain: OwnBrain,
    credentials: Vec<Credentials>,
    tenant: Tenant,
    population: Population,
    filled: u64,
}

impl Grown {
    /// A brain that stores nothing of this run yet.
    pub(crate) async fn none(target: &Target, tasks: u64) -> anyhow::Result<Self> {
        let brain = match target {
            Target::Foreign(_) => Growing::Foreign(Box::new(target.ready(1).await?)),
            Target::Own(own) => {
                let mut brain = own.brain(None).await?;
                brain.start()?;
                let (admin, minted) = brain.agents(1).await?;
                let tenant = Tenant {
                    project: admin.project_id().await?.parse()?,
                    agent: minted[0].agent_id.parse::<AgentId>()?,
                };
                let step_us = 8_000;
                let now = Env::system().now().as_micros();
                let span = i64::try_from(tasks * step_us)? + 10_000_000;
                Growing::Own(Box::new(Own {
                    brain,
                    credentials: minted.into_iter().map(|agent| agent.credentials).collect(),
                    tenant,
                    population: Population {
                        seed: u64::from_le_bytes(Env::system().secret_bytes::<8>()),
                        start: Timestamp::from_micros(now - span),
                        step_us,
                        events_per_task: 2,
                    },
                    filled: 0,
                }))
            }
        };
        Ok(Self { brain, stored: 0 })
    }

    /// Stores tasks until there are `tasks`; answers the rate.
    pub(crate) async fn fill(&mut self, tasks: u64) -> anyhow::Result<f64> {
        let missing = tasks.saturating_sub(self.stored);
        if missing == 0 {
            return Ok(0.0);
        }
        self.stored += missing;
        match &mut self.brain {
            Growing::Own(own) => own.fill(missing).await,
            Growing::Foreign(ready) => {
                let (mut events, mut seconds, mut left) = (0.0, 0.0, missing);
                while left > 0 {
                    let tasks = left.min(WIRE_FILL_TASKS);
                    let load = Load {
                        events_per_frame: 100,
                        time_max: Duration::from_secs(3_600),
                        ..LOAD
                    };
                    let outcome = closed_run(ready, load, work(tasks)).await?;
                    events += number(outcome.events);
                    seconds += outcome.took.as_secs_f64();
                    left -= tasks;
                }
                Ok(events / seconds)
            }
        }
    }

    /// The brain, to be driven: ours started anew after filling.
    pub(crate) async fn ready(&mut self, target: &Target) -> anyhow::Result<Ready> {
        match &mut self.brain {
            Growing::Foreign(_) => target.ready(1).await,
            Growing::Own(own) => {
                own.brain.kill()?;
                own.brain.start()?;
                let admin = own.brain.sign_in().await?;
                let watched = own.brain.watched();
                Ok(Ready::of(own.credentials.clone(), admin, watched))
            }
        }
    }

    /// Its database, when it is ours and not a file.
    pub(crate) fn database(&self) -> Option<&Database> {
        match &self.brain {
            Growing::Own(own) => own.brain.database.as_ref(),
            Growing::Foreign(_) => None,
        }
    }
}

impl Own {
    async fn fill(&mut self, tasks: u64) -> anyhow::Result<f64> {
        self.brain.kill()?;
        let opened = self.brain.open_store().await?;
        let range = self.filled..self.filled + tasks;
        self.filled = range.end;
        let loaded = loader::load(&opened.store, self.tenant, self.population, range, |_| {
            Ok(())
        })
        .await
        .context("the store could not be filled")?;
        opened.close().await;
        Ok(loaded.events_per_second())
    }
}
