//! What the other brains have to be told, conflated until it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use z4j_core::id::{AgentId, CommandId, ProjectId};
use z4j_core::store::News;

use super::delta::Delta;

/// Rows of one project that are named; beyond it only the project is.
const ROWS_MAX: usize = 1_000;

/// What the other brains have to be told. Off while there are none.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    is_on: AtomicBool,
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    everything: bool,
    projects: BTreeMap<ProjectId, Rows>,
}

/// The rows of one project that changed.
#[derive(Debug, Default)]
struct Rows {
    /// Too many to name.
    is_changed: bool,
    count: usize,
    tasks: BTreeMap<String, BTreeSet<String>>,
    workers: BTreeMap<String, BTreeSet<String>>,
    queues: BTreeMap<String, BTreeSet<String>>,
    commands: BTreeSet<CommandId>,
    agents: BTreeSet<AgentId>,
    counters: bool,
}

impl Outgoing {
    /// Whether there is anybody to tell. What waits for nobody is dropped.
    pub(crate) fn turn(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Release);
        if !is_on {
            *self.lock() = Waiting::default();
        }
    }

    /// Anything may have changed.
    pub(crate) fn everything(&self) {
        if self.is_on.load(Ordering::Acquire) {
            self.lock().everything = true;
            self.wake.notify_one();
        }
    }

    /// Waits until there is something to tell.
    pub(crate) async fn ready(&self) {
        while self.lock().is_empty() {
            self.wake.notified().await;
        }
    }

    /// What there is to tell.
    pub(crate) fn take(&self) -> Vec<News> {
        let waiting = std::mem::take(&mut *self.lock());
        if waiting.everything {
            return vec![News::Everything];
        }
        let news = waiting
            .projects
            .into_iter()
            .flat_map(|(project, rows)| rows.into_news(project));
        news.collect()
    }

    /// Whether a row of the project is worth naming: somebody has to be told, and not only that much changed.
    pub(super) fn wants_rows(&self, project: ProjectId) -> bool {
        self.is_on.load(Ordering::Acquire) && !self.lock().is_changed(project)
    }

    pub(super) fn note<'d>(&self, project: ProjectId, deltas: impl IntoIterator<Item = &'d Delta>) {
        if !self.is_on.load(Ordering::Acquire) {
            return;
        }
        let mut waiting = self.lock();
        let rows = waiting.projects.entry(project).or_default();
        deltas.into_iter().for_each(|delta| rows.add(delta));
        drop(waiting);
        self.wake.notify_one();
    }

    pub(super) fn note_changed(&self, project: ProjectId) {
        if self.is_on.load(Ordering::Acquire) {
            self.lock().projects.entry(project).or_default().give_up();
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        !self.everything && self.projects.is_empty()
    }

    fn is_changed(&self, project: ProjectId) -> bool {
        let is_changed = |rows: &Rows| rows.is_changed;
        self.everything || self.projects.get(&project).is_some_and(is_changed)
    }
}

impl Rows {
    fn add(&mut self, delta: &Delta) {
        if self.is_changed {
            return;
        }
        let is_new = match delta {
            Delta::Task(task) => named(&mut self.tasks, &task.key.engine, &task.key.task_id),
            Delta::Worker { engine, name } => named(&mut self.workers, engine, name),
            Delta::Queue { engine, name } => named(&mut self.queues, engine, name),
            Delta::Command(id) => self.commands.insert(*id),
            Delta::Agent(id) => self.agents.insert(*id),
            Delta::Counters => !std::mem::replace(&mut self.counters, true),
        };
        self.count += usize::from(is_new);
        if self.count > ROWS_MAX {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        *self = Self {
            is_changed: true,
            ..Self::default()
        };
    }

    fn into_news(self, project: ProjectId) -> Vec<News> {
        if self.is_changed {
            return vec![News::Changed { project }];
        }
        let mut news = Vec::new();
        // Small and telling first: what finds no room is only said to have changed.
        news.extend(
            self.commands
                .into_iter()
                .map(|id| News::Command { project, id }),
        );
        news.extend(
            self.agents
                .into_iter()
                .map(|id| News::Agent { project, id }),
        );
        news.extend(
            self.workers
                .into_iter()
                .map(|(engine, names)| News::Workers {
                    project,
                    engine,
                    names: names.into_iter().collect(),
                }),
        );
        news.extend(self.queues.into_iter().map(|(engine, names)| News::Queues {
            project,
            engine,
            names: names.into_iter().collect(),
        }));
        // Tasks move the counts of their project.
        if self.counters && self.tasks.is_empty() {
            news.push(News::Counters { project });
        }
        news.extend(self.tasks.into_iter().map(|(engine, ids)| News::Tasks {
            project,
            engine,
            task_ids: ids.into_iter().collect(),
        }));
        news
    }
}

/// True when the name is new.
fn named(names: &mut BTreeMap<String, BTreeSet<String>>, engine: &str, name: &str) -> bool {
    if let Some(names) = names.get_mut(engine) {
        return !names.contains(name) && names.insert(name.to_owned());
    }
    names.insert(engine.to_owned(), BTreeSet::from([name.to_owned()]));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(number: u128) -> Delta {
        Delta::Agent(AgentId::from_u128(number))
    }

    #[test]
    fn news_for_nobody_is_not_kept() {
        let outgoing = Outgoing::default();
        let project = ProjectId::from_u128(1);
        outgoing.note(project, [&agent(1)]);
        assert!(outgoing.take().is_empty());
        outgoing.turn(true);
        outgoing.note(project, [&agent(1)]);
        outgoing.turn(false);
        assert!(outgoing.take().is_empty());
    }

    #[test]
    fn a_row_is_told_once_and_too_many_as_their_project() {
        let outgoing = Outgoing::default();
        outgoing.turn(true);
        let project = ProjectId::from_u128(1);
        outgoing.note(project, [&agent(1), &agent(1), &Delta::Counters]);
        assert!(outgoing.wants_rows(project));
        assert_eq!(outgoing.take().len(), 2);
        assert!(outgoing.take().is_empty());
        let many: Vec<Delta> = (0..=ROWS_MAX).map(|n| agent(n as u128)).collect();
        outgoing.note(project, &many);
        assert!(!outgoing.wants_rows(project));
        assert_eq!(outgoing.take(), [News::Changed { project }]);
        assert!(outgoing.wants_rows(project));
    }
}
