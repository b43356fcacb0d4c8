//! Every job that the engine knows, and in which order they run.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::task::AbortHandle;
use z4j_core::engine::CommandOutcome;
use z4j_core::id::CommandId;
use z4j_core::time::Timestamp;

use super::{JobSpec, SubmitError};

/// Commands whose outcome is remembered, so that a repeat has no second effect.
const COMMANDS_MAX: usize = 1_000;

/// Where a job stands.
#[derive(Debug)]
pub(super) enum Phase {
    Waiting,
    Running(AbortHandle),
    Success,
    Failure(String),
    Revoked,
}

impl Phase {
    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Success | Self::Failure(_) | Self::Revoked)
    }

    pub(super) const fn as_engine_state(&self) -> &'static str {
        match self {
            Self::Waiting => "pending",
            Self::Running(_) => "started",
            Self::Success => "success",
            Self::Failure(_) | Self::Revoked => "failure",
        }
    }

    pub(super) const fn as_word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running(_) => "running",
            Self::Success => "successful",
            Self::Failure(_) => "failed",
            Self::Revoked => "cancelled",
        }
    }
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) spec: JobSpec,
    pub(super) phase: Phase,
    pub(super) attempt: u32,
    pub(super) finished_at: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) jobs: HashMap<String, Record>,
    /// Waiting jobs by when they are due, in the order in which they came.
    waiting: BTreeMap<(Duration, u64), String>,
    finished: VecDeque<String>,
    queues: BTreeMap<String, u64>,
    commands: VecDeque<(CommandId, CommandOutcome)>,
    pub(super) has_workers: bool,
    next_number: u64,
    waiting_max: usize,
    finished_max: usize,
}

impl State {
    pub(super) fn new(waiting_max: usize, finished_max: usize) -> Self {
        Self {
            jobs: HashMap::new(),
            waiting: BTreeMap::new(),
            finished: VecDeque::new(),
            queues: BTreeMap::new(),
            commands: VecDeque::new(),
            has_workers: false,
            next_number: 0,
            waiting_max,
            finished_max,
        }
    }

    pub(super) fn add(
        &mut self,
        task_id: String,
        spec: JobSpec,
        due: Duration,
    ) -> Result<(), SubmitError> {
        if self.waiting.len() >= self.waiting_max {
            return Err(SubmitError::Full);
        }
        let record = Record {
            spec,
            phase: Phase::Waiting,
            attempt: 0,
            finished_at: None,
        };
        self.jobs.insert(task_id.clone(), record);
        self.wait(task_id, due);
        Ok(())
    }

    /// Puts a job that is known into its queue.
    pub(super) fn wait(&mut self, task_id: String, due: Duration) {
        if let Some(record) = self.jobs.get(&task_id) {
            *self.queues.entry(record.spec.queue.clone()).or_default() += 1;
            self.waiting.insert((due, self.next_number), task_id);
            self.next_number += 1;
        }
    }

    /// The job to run now, out of its queue.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<String> {
        let (due, _) = self.waiting.first_key_value()?.0;
        if *due > now {
            return None;
        }
        let (_, task_id) = self.waiting.pop_first()?;
        self.left_queue(&task_id);
        Some(task_id)
    }

    /// When the next job is due.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes waiting jobs out of their queues and gives their ids.
    pub(super) fn drop_waiting(&mut self, wanted: impl Fn(&str, &Record) -> bool) -> Vec<String> {
        let jobs = &self.jobs;
        let is_wanted = |task_id: &String| {
            jobs.get(task_id)
                .is_some_and(|record| wanted(task_id, record))
        };
        let gone: Vec<String> = self
            .waiting
            .values()
            .filter(|task_id| is_wanted(task_id))
            .cloned()
            .collect();
        self.waiting.retain(|_, task_id| !gone.contains(task_id));
        for task_id in &gone {
            self.left_queue(task_id);
        }
        gone
    }

    /// A job is over; the oldest finished ones are forgotten.
    pub(super) fn finish(&mut self, task_id: &str, phase: Phase, at: Timestamp) {
        if let Some(record) = self.jobs.get_mut(task_id) {
            record.phase = phase;
            record.finished_at = Some(at);
            self.finished.push_back(task_id.to_owned());
        }
        while self.finished.len() > self.finished_max {
            if let Some(oldest) = self.finished.pop_front() {
                self.jobs.remove(&oldest);
            }
        }
    }

    pub(super) fn running(&self) -> usize {
        self.jobs
            .values()
            .filter(|record| matches!(record.phase, Phase::Running(_)))
            .count()
    }

    /// How many jobs wait in each queue that was ever used.
    pub(super) fn depths(&self) -> Vec<(String, u64)> {
        self.queues
            .iter()
            .map(|(queue, depth)| (queue.clone(), *depth))
            .collect()
    }

    pub(super) fn outcome_of(&self, command: CommandId) -> Option<CommandOutcome> {
        self.commands
            .iter()
            .find(|(id, _)| *id == command)
            .map(|(_, outcome)| outcome.clone())
    }

    pub(super) fn remember(&mut self, command: CommandId, outcome: CommandOutcome) {
        self.commands.push_back((command, outcome));
        if self.commands.len() > COMMANDS_MAX {
            self.commands.pop_front();
        }
    }

    fn left_queue(&mut self, task_id: &str) {
        let queue = self
            .jobs
            .get(task_id)
            .and_then(|record| self.queues.get_mut(&record.spec.queue));
        if let Some(depth) = queue {
            *depth = depth.saturating_sub(1);
        }
    }
}
