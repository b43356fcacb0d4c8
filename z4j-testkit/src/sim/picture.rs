//! The store as it is at the end, read through the seam alone.

use std::collections::BTreeMap;

use z4j_core::audit::{AuditEntry, ChainId};
use z4j_core::id::{AgentId, ProjectId, TaskKey};
use z4j_core::store::{
    AgentRow, CommandFilter, CommandRow, EventRow, Facets, MinuteCount, Page, PageRequest,
    QueueRow, StateCount, Store, StoreError, StreamGap, StreamKey, TaskDetail, TaskFilter,
    TaskSort, TaskSummary, WorkerRow,
};
use z4j_core::time::Timestamp;

use super::dashboard::DashboardPicture;
use super::fleet::{AgentKind, Slot};
use super::network::LinkNo;
use super::record::Record;

/// Rows of a page.
const PAGE: u32 = 200;
/// Gaps of a stream that are read; more than any run makes.
const GAPS: u32 = 10_000;
/// Values of a column that are counted.
const FACETS: u32 = 500;

/// A task as it is stored.
#[derive(Debug)]
pub(crate) struct StoredTask {
    pub(crate) summary: TaskSummary,
    pub(crate) detail: Option<TaskDetail>,
    pub(crate) events: Vec<EventRow>,
}

/// A project as it is stored.
#[derive(Debug)]
pub(crate) struct StoredProject {
    pub(crate) id: ProjectId,
    pub(crate) tasks: BTreeMap<TaskKey, StoredTask>,
    pub(crate) states: Vec<StateCount>,
    pub(crate) minutes: Vec<MinuteCount>,
    pub(crate) facets: Facets,
    pub(crate) commands: Vec<CommandRow>,
    pub(crate) agents: Vec<AgentRow>,
    pub(crate) workers: Vec<WorkerRow>,
    pub(crate) queues: Vec<QueueRow>,
    pub(crate) audit: Vec<AuditEntry>,
}

/// The store as it is at the end, and what agents say of themselves.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) projects: Vec<StoredProject>,
    /// Links that were sound to the end.
    pub(crate) whole_links: Vec<LinkNo>,
    /// Where each stream stands, and what of it was declared lost.
    pub(crate) streams: BTreeMap<StreamKey, (u64, Vec<StreamGap>)>,
    /// Events that published agents evicted, by agent: their buffers keep count.
    pub(crate) evicted: BTreeMap<AgentId, u64>,
    /// What dashboards showed when all was quiet.
    pub(crate) dashboards: Vec<DashboardPicture>,
}

impl Picture {
    /// What is known without the store.
    pub(crate) fn new(whole_links: Vec<LinkNo>, slots: &[Slot]) -> Self {
        let mut evicted = BTreeMap::new();
        for slot in slots.iter().filter(|slot| slot.kind == AgentKind::Stock) {
            *evicted.entry(slot.agent).or_default() += slot.disk.loss().event_records;
        }
        Self {
            projects: Vec::new(),
            whole_links,
            streams: BTreeMap::new(),
            evicted,
            dashboards: Vec::new(),
        }
    }

    /// Reads the store.
    ///
    /// # Errors
    /// The store's fault.
    pub(crate) async fn read(
        &mut self,
        store: &dyn Store,
        projects: &[ProjectId],
        streams: &[StreamKey],
    ) -> Result<(), StoreError> {
        for key in streams {
            let position = store.stream_position(*key).await?;
            let gaps = store.stream_gaps(*key, GAPS).await?;
            self.streams.insert(*key, (position, gaps));
        }
        for project in projects {
            self.projects.push(Box::pin(read(store, *project)).await?);
        }
        Ok(())
    }

    /// Writes the numbers to the trace, so that two runs are equal only if their stores are.
    pub(crate) fn trace(&self, record: &Record) {
        for project in &self.projects {
            let events: usize = project.tasks.values().map(|task| task.events.len()).sum();
            record.note(format_args!(
                "stored {} tasks {} events {events} states {:?}",
                project.id,
                project.tasks.len(),
                project.states
            ));
            for (key, task) in &project.tasks {
                record.note(format_args!(
                    "task {} {} {} retries {} events {}",
                    key.task_id,
                    task.summary.state.as_str(),
                    task.summary.state_at,
                    task.summary.retry_count,
                    task.events.len()
                ));
            }
        }
    }
}

async fn read(store: &dyn Store, id: ProjectId) -> Result<StoredProject, StoreError> {
    let filter = TaskFilter::default();
    let mut tasks = BTreeMap::new();
    let mut after = None;
    loop {
        let page = PageRequest::first(PAGE).after(after);
        let page = store.tasks(id, &filter, TaskSort::default(), page).await?;
        for summary in page.items {
            let key = summary.key.clone();
            let task = StoredTask {
                detail: store.task(id, &key).await?,
                events: events(store, id, &key).await?,
                summary,
            };
            tasks.insert(key, task);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(StoredProject {
        id,
        tasks,
        states: store.state_counts(id).await?,
        minutes: store
            .minute_counts(id, Timestamp::EPOCH, Timestamp::LATEST)
            .await?,
        facets: store.facets(id, FACETS).await?,
        commands: commands(store, id).await?,
        agents: store.agents(id).await?,
        workers: store.workers(id).await?,
        queues: store.queues(id).await?,
        audit: audit(store, ChainId::Project(id)).await?,
    })
}

async fn events(
    store: &dyn Store,
    id: ProjectId,
    key: &TaskKey,
) -> Result<Vec<EventRow>, StoreError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let request = PageRequest::first(PAGE).after(after);
        let Page { items, next } = store.task_events(id, key, request).await?;
        all.extend(items);
        after = next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

async fn commands(store: &dyn Store, id: ProjectId) -> Result<Vec<CommandRow>, StoreError> {
    let filter = CommandFilter::default();
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let request = PageRequest::first(PAGE).after(after);
        let Page { items, next } = store.commands(id, &filter, request).await?;
        all.extend(items);
        after = next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

async fn audit(store: &dyn Store, chain: ChainId) -> Result<Vec<AuditEntry>, StoreError> {
    let mut all: Vec<AuditEntry> = Vec::new();
    loop {
        let after = all.last().map_or(0, |entry| entry.seq);
        let more = store.audit_range(chain, after, PAGE).await?;
        if more.is_empty() {
            return Ok(all);
        }
        all.extend(more);
    }
}
