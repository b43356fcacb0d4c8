//! Hears what the others committed, and tells those who follow this brain.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::limits::PAGE_ROWS_MAX;
use z4j_core::store::{Announcement, Heard, News, StoreError};

use crate::live::Delta;
use crate::ops::chain;
use crate::shared::Shared;

/// A dashboard that fetches everything anew does it no more often than this.
const RESET_INTERVAL: Duration = Duration::from_secs(2);

/// How often rows are read again that change here while they are read; beyond it their followers fetch anew.
const READS_MAX: u32 = 3;

/// Projects whose followers must fetch anew.
#[derive(Debug, Default)]
struct Stale {
    projects: BTreeSet<ProjectId>,
    all: bool,
    /// When the last ones were told.
    told_at: Option<Duration>,
}

/// Listens until `halt`.
pub(super) async fn run(shared: &Shared, halt: &CancellationToken) {
    let mut announcements = shared.store.announcements();
    let mut stale = Stale::default();
    loop {
        let due = stale.due_in(shared.env.elapsed());
        tokio::select! {
            biased;
            () = halt.cancelled() => return,
            () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => stale.tell(shared),
            contested = shared.hub.contested().take() => {
                for (project, tasks) in contested {
                    match tasks {
                        Some(tasks) => read_again(shared, project, tasks.into_iter().collect(), &mut stale).await,
                        None => _ = stale.projects.insert(project),
                    }
                }
            }
            heard = announcements.next() => match heard {
                Some(Heard::Announced(announcement)) => hear(shared, announcement, &mut stale).await,
                Some(Heard::MayHaveMissed) => {
                    shared.metrics.announcements("missed");
                    stale.all = true;
                }
                // The store is closed; beats still tell what was announced.
                None => return halt.cancelled().await,
            }
        }
    }
}

async fn hear(shared: &Shared, announcement: Announcement, stale: &mut Stale) {
    let Announcement { from, number, news } = announcement;
    let (is_own, has_gap) = {
        let mut state = shared.replicas.lock();
        let own = state.own;
        (from == own, state.watch.hear(own, from, number))
    };
    if is_own {
        return;
    }
    shared.metrics.announcements("heard");
    if has_gap {
        shared.metrics.announcements("missed");
        stale.all = true;
    }
    for item in news {
        match item.project() {
            None => stale.all = true,
            Some(project) => tell(shared, project, item, stale).await,
        }
    }
}

async fn tell(shared: &Shared, project: ProjectId, news: News, stale: &mut Stale) {
    if matches!(
        news,
        News::Workers { .. } | News::Agent { .. } | News::Changed { .. }
    ) {
        shared.replicas.elsewhere.wake();
    }
    if !shared.hub.has_followers(project) {
        // Who comes back later must see that something was missed.
        return shared.hub.miss(project);
    }
    let began = shared.env.elapsed();
    match deltas(shared, project, news).await {
        Ok(Some(deltas)) => {
            let contested = shared.hub.hear(project, began, deltas);
            read_again(shared, project, contested, stale).await;
        }
        Ok(None) => {
            stale.projects.insert(project);
        }
        Err(error) => note_unread(project, &error, stale),
    }
}

/// Reads tasks until none of them changes here meanwhile, and publishes them.
async fn read_again(
    shared: &Shared,
    project: ProjectId,
    mut keys: Vec<TaskKey>,
    stale: &mut Stale,
) {
    for _ in 0..READS_MAX {
        if keys.is_empty() {
            return;
        }
        let began = shared.env.elapsed();
        match tasks(shared, project, &keys).await {
            Ok(deltas) => keys = shared.hub.hear(project, began, deltas),
            Err(error) => return note_unread(project, &error, stale),
        }
    }
    if !keys.is_empty() {
        stale.projects.insert(project);
    }
}

fn note_unread(project: ProjectId, error: &StoreError, stale: &mut Stale) {
    tracing::warn!(error = %chain(error), "what brains changed could not be read");
    stale.projects.insert(project);
}

async fn tasks(
    shared: &Shared,
    project: ProjectId,
    keys: &[TaskKey],
) -> Result<Vec<Delta>, StoreError> {
    let mut deltas = Vec::with_capacity(keys.len());
    for keys in keys.chunks(usize::try_from(PAGE_ROWS_MAX).unwrap_or(usize::MAX)) {
        let tasks = shared.store.tasks_by_keys(project, keys).await?;
        deltas.extend(tasks.into_iter().map(|task| Delta::Task(Box::new(task))));
    }
    Ok(deltas)
}

/// The changes that news names, as they are now; `None` when it names none.
async fn deltas(
    shared: &Shared,
    project: ProjectId,
    news: News,
) -> Result<Option<Vec<Delta>>, StoreError> {
    let deltas = match news {
        News::Tasks {
            engine, task_ids, ..
        } => {
            let keys: Vec<TaskKey> = task_ids
                .into_iter()
                .map(|id| TaskKey::new(engine.clone(), id))
                .collect();
            let mut deltas = tasks(shared, project, &keys).await?;
            deltas.push(Delta::Counters);
            deltas
        }
        News::Command { id, .. } => vec![Delta::Command(id)],
        News::Agent { id, .. } => vec![Delta::Agent(id)],
        News::Workers { engine, names, .. } => {
            let delta = |name: String| Delta::Worker {
                engine: engine.as_str().into(),
                name: name.into(),
            };
            names.into_iter().map(delta).collect()
        }
        News::Queues { engine, names, .. } => {
            let delta = |name: String| Delta::Queue {
                engine: engine.as_str().into(),
                name: name.into(),
            };
            names.into_iter().map(delta).collect()
        }
        News::Counters { .. } => vec![Delta::Counters],
        _ => return Ok(None),
    };
    Ok(Some(deltas))
}

impl Stale {
    fn due_in(&self, now: Duration) -> Option<Duration> {
        let is_any = self.all || !self.projects.is_empty();
        is_any.then(|| {
            self.told_at.map_or(Duration::ZERO, |at| {
                (at + RESET_INTERVAL).saturating_sub(now)
            })
        })
    }

    fn tell(&mut self, shared: &Shared) {
        let projects = std::mem::take(&mut self.projects);
        if std::mem::take(&mut self.all) {
            shared.hub.miss_all();
        } else {
            projects
                .into_iter()
                .for_each(|project| shared.hub.miss(project));
        }
        self.told_at = Some(shared.env.elapsed());
    }
}
