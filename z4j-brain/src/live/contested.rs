//! Tasks that two brains changed at about the same time: what each of them wrote says nothing of which is later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use z4j_core::id::{ProjectId, TaskKey};

/// Tasks of a project that wait to be read; beyond it only the project does.
const TASKS_MAX: usize = 1_000;

/// Tasks to be read again before they are published, by project. `None`: too many to name.
type Waiting = BTreeMap<ProjectId, Option<BTreeSet<TaskKey>>>;

/// Tasks that must be read again before they can be published.
#[derive(Debug, Default)]
pub(crate) struct Contested {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

impl Contested {
    /// Waits until there are some, and takes them. Cancel-safe.
    pub(crate) async fn take(&self) -> Waiting {
        loop {
            let waiting = std::mem::take(&mut *self.lock());
            if !waiting.is_empty() {
                return waiting;
            }
            self.wake.notified().await;
        }
    }

    pub(super) fn add(&self, project: ProjectId, tasks: Vec<TaskKey>) {
        if tasks.is_empty() {
            return;
        }
        let mut waiting = self.lock();
        let known = waiting
            .entry(project)
            .or_insert_with(|| Some(BTreeSet::new()));
        if let Some(named) = known {
            named.extend(tasks);
            if named.len() > TASKS_MAX {
                *known = None;
            }
        }
        drop(waiting);
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
