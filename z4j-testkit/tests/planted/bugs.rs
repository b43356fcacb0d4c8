//! The bugs. Each is one that a real store could have, in the few lines where it would be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use z4j_core::command::CommandState;
use z4j_core::id::{CommandId, LinkId, ProjectId, TaskKey};
use z4j_core::store::{
    AdvanceCommand, AdvanceOutcome, AuditStore, BeatOutcome, ClaimCommands, CommandFilter,
    CommandRow, CommandStore, Coordination, Cursor, EventOutcome, EventRow, EventStore,
    ForgetOutcome, ForgetReplica, IdentityStore, IngestBatch, IngestReceipt, IssueCommand,
    IssueOutcome, LeaseGrant, LeaseOutcome, LeaseRequest, Page, PageRequest, ReplicaBeat,
    StateCount, StoreError, StoreErrorKind, StoreParts, StreamGap, StreamKey, TaskFilter,
    TaskQueries, TaskSort, TaskSummary,
};
use z4j_core::task::{EventKind, TaskState};
use z4j_core::time::Timestamp;
use z4j_testkit::mem::MemStore;

/// More rows than any case makes.
const ALL: u32 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    AckBeforeWrite,
    IdentityToTheSecond,
    CountersOfEvents,
    ClaimInTwoSteps,
    AuditApart,
    PoisonFailsBatch,
    LookUpAcrossProjects,
    CursorOfAnyQuery,
    TiesLost,
    LeaseForAll,
    BeatRevives,
    BurialOfTheLiving,
    UpkeepWithoutFence,
}

/// The reference store with one bug, or none.
#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) store: Arc<MemStore>,
    bug: Option<Bug>,
    /// Answered, and not written yet.
    unwritten: Mutex<Option<IngestBatch>>,
    /// Project, task, kind and second of every event.
    seconds: Mutex<BTreeSet<(ProjectId, String, String, i64)>>,
    events: Mutex<BTreeMap<(ProjectId, TaskState), u64>>,
}

impl Planted {
    pub(crate) fn new(bug: Option<Bug>) -> Self {
        Self {
            store: Arc::new(MemStore::new()),
            bug,
            unwritten: Mutex::default(),
            seconds: Mutex::default(),
            events: Mutex::default(),
        }
    }

    /// The reference store with the parts that may hold the bug.
    pub(crate) fn into_store(self) -> StoreParts {
        let parts = StoreParts::of(&self.store);
        let planted = Arc::new(self);
        parts
            .with_events(Arc::<Self>::clone(&planted))
            .with_tasks(Arc::<Self>::clone(&planted))
            .with_commands(Arc::<Self>::clone(&planted))
            .with_coordination(planted)
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    async fn answer_first(&self, batch: IngestBatch) -> Result<IngestReceipt, StoreError> {
        let outcomes = vec![EventOutcome::Inserted; batch.events.len()];
        let earlier = self.unwritten.lock().unwrap().replace(batch);
        if let Some(earlier) = earlier {
            let _ = self.store.ingest(earlier).await?;
        }
        Ok(IngestReceipt {
            outcomes,
            changes: Vec::new(),
        })
    }

    async fn tell_apart_by_seconds(
        &self,
        mut batch: IngestBatch,
    ) -> Result<IngestReceipt, StoreError> {
        let mut outcomes = Vec::new();
        let mut seconds = std::mem::take(&mut *self.seconds.lock().unwrap());
        batch.events.retain(|event| {
            let second = event.sent_at.as_micros() / 1_000_000;
            let name = (
                event.project_id,
                event.task_id.to_string(),
                event.kind.to_string(),
                second,
            );
            let is_new = seconds.insert(name);
            outcomes.push(if is_new {
                EventOutcome::Inserted
            } else {
                EventOutcome::Duplicate
            });
            is_new
        });
        *self.seconds.lock().unwrap() = seconds;
        let receipt = self.store.ingest(batch).await?;
        Ok(IngestReceipt {
            outcomes,
            changes: receipt.changes,
        })
    }

    fn count_events(&self, batch: &IngestBatch, receipt: &IngestReceipt) {
        let mut counts = self.events.lock().unwrap();
        for (event, outcome) in batch.events.iter().zip(&receipt.outcomes) {
            let state = match event.kind {
                EventKind::TaskSent => TaskState::Pending,
                EventKind::TaskReceived => TaskState::Received,
                EventKind::TaskStarted => TaskState::Started,
                EventKind::TaskSucceeded => TaskState::Success,
                EventKind::TaskFailed => TaskState::Failure,
                EventKind::TaskRetried => TaskState::Retry,
                EventKind::TaskRevoked => TaskState::Revoked,
                _ => TaskState::Unknown,
            };
            if *outcome == EventOutcome::Inserted {
                *counts.entry((event.project_id, state)).or_default() += 1;
            }
        }
    }

    pub(crate) async fn buggy_state_counts(
        &self,
        project: ProjectId,
    ) -> Result<Vec<StateCount>, StoreError> {
        if !self.has(Bug::CountersOfEvents) {
            return self.store.state_counts(project).await;
        }
        let counts = self.events.lock().unwrap();
        let of_project = counts.iter().filter(|((owner, _), _)| *owner == project);
        Ok(of_project
            .map(|((_, state), count)| StateCount {
                state: *state,
                count: *count,
            })
            .collect())
    }

    pub(crate) async fn buggy_tasks(
        &self,
        project: ProjectId,
        filter: &TaskFilter,
        sort: TaskSort,
        page: PageRequest,
    ) -> Result<Page<TaskSummary>, StoreError> {
        if self.has(Bug::TiesLost) {
            return self.page_by_time_alone(project, filter, sort, page).await;
        }
        if !self.has(Bug::CursorOfAnyQuery) {
            return self.store.tasks(project, filter, sort, page).await;
        }
        let offset = page
            .after
            .and_then(|cursor| cursor.as_str().parse().ok())
            .unwrap_or(0);
        let all = self
            .store
            .tasks(project, filter, sort, PageRequest::first(ALL))
            .await?;
        let end = offset + page.limit as usize;
        let next = (end < all.items.len()).then(|| Cursor::new(end.to_string()));
        let items = all
            .items
            .into_iter()
            .skip(offset)
            .take(page.limit as usize)
            .collect();
        Ok(Page { items, next })
    }

    /// Goes on behind the last row's time, and so past the other rows of that time.
    async fn page_by_time_alone(
        &self,
        project: ProjectId,
        filter: &TaskFilter,
        sort: TaskSort,
        page: PageRequest,
    ) -> Result<Page<TaskSummary>, StoreError> {
        let all = PageRequest::first(ALL);
        let mut rows = self.store.tasks(project, filter, sort, all).await?.items;
        let last: Option<i64> = page.after.and_then(|cursor| cursor.as_str().parse().ok());
        if let Some(last) = last {
            let end = rows
                .iter()
                .rposition(|row| row.state_at.as_micros() == last);
            rows.drain(..end.map_or(0, |end| end + 1));
        }
        let has_more = rows.len() > page.limit as usize;
        rows.truncate(page.limit as usize);
        let next = rows.last().filter(|_| has_more);
        let next = next.map(|row| Cursor::new(row.state_at.as_micros().to_string()));
        Ok(Page { items: rows, next })
    }

    pub(crate) async fn buggy_beat(
        &self,
        mut beat: ReplicaBeat,
    ) -> Result<BeatOutcome, StoreError> {
        beat.is_first |= self.has(Bug::BeatRevives);
        self.store.beat(beat).await
    }

    pub(crate) async fn buggy_forget(
        &self,
        mut forget: ForgetReplica,
    ) -> Result<ForgetOutcome, StoreError> {
        let mut outcome = self.store.forget_replica(forget).await?;
        while self.has(Bug::BurialOfTheLiving) && outcome == ForgetOutcome::Lives {
            forget.beat = (forget.beat + 1) % 10;
            outcome = self.store.forget_replica(forget).await?;
        }
        Ok(outcome)
    }

    pub(crate) async fn buggy_maintain(
        &self,
        grant: &LeaseGrant,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        if self.has(Bug::UpkeepWithoutFence) {
            return Ok(Vec::new());
        }
        self.store.maintain(grant, now).await
    }

    pub(crate) async fn buggy_try_lease(
        &self,
        request: LeaseRequest,
    ) -> Result<LeaseOutcome, StoreError> {
        let (name, holder) = (request.name.clone(), request.holder);
        let outcome = self.store.try_lease(request).await?;
        if self.has(Bug::LeaseForAll) {
            return Ok(LeaseOutcome::Held(LeaseGrant {
                name,
                holder,
                fence: 1,
            }));
        }
        Ok(outcome)
    }

    async fn all_commands(&self) -> Result<Vec<CommandRow>, StoreError> {
        let mut all = Vec::new();
        for project in self.store.projects().await? {
            let page = self
                .store
                .commands(
                    project.id,
                    &CommandFilter::default(),
                    PageRequest::first(ALL),
                )
                .await?;
            all.extend(page.items);
        }
        Ok(all)
    }

    async fn claim_in_two_steps(
        &self,
        claim: ClaimCommands,
    ) -> Result<Vec<CommandRow>, StoreError> {
        let mut pending = self.all_commands().await?;
        pending.retain(|row| row.agent_id == claim.agent_id && row.state == CommandState::Pending);
        pending.truncate(claim.limit as usize);
        tokio::task::yield_now().await;
        for row in &mut pending {
            row.state = CommandState::Dispatched;
            row.dispatched_at = Some(claim.now);
        }
        let _ = self.store.claim_commands(claim).await?;
        Ok(pending)
    }
}

#[async_trait]
impl EventStore for Planted {
    async fn ingest(&self, batch: IngestBatch) -> Result<IngestReceipt, StoreError> {
        if self.has(Bug::AckBeforeWrite) {
            return self.answer_first(batch).await;
        }
        if self.has(Bug::IdentityToTheSecond) {
            return self.tell_apart_by_seconds(batch).await;
        }
        let receipt = self.store.ingest(batch.clone()).await?;
        self.count_events(&batch, &receipt);
        let has_poison = receipt
            .outcomes
            .iter()
            .any(|outcome| matches!(outcome, EventOutcome::Poison(_)));
        if self.has(Bug::PoisonFailsBatch) && has_poison {
            return Err(StoreError::new(StoreErrorKind::Internal, "ingest"));
        }
        Ok(receipt)
    }

    async fn task_events(
        &self,
        project: ProjectId,
        task: &TaskKey,
        page: PageRequest,
    ) -> Result<Page<EventRow>, StoreError> {
        self.store.task_events(project, task, page).await
    }

    async fn stream_position(&self, stream: StreamKey) -> Result<u64, StoreError> {
        self.store.stream_position(stream).await
    }

    async fn stream_gaps(
        &self,
        stream: StreamKey,
        limit: u32,
    ) -> Result<Vec<StreamGap>, StoreError> {
        self.store.stream_gaps(stream, limit).await
    }
}

#[async_trait]
impl CommandStore for Planted {
    async fn issue_command(&self, command: IssueCommand) -> Result<IssueOutcome, StoreError> {
        if self.has(Bug::AuditApart) {
            self.store.append_audit(vec![command.audit.clone()]).await?;
        }
        self.store.issue_command(command).await
    }

    async fn claim_commands(&self, claim: ClaimCommands) -> Result<Vec<CommandRow>, StoreError> {
        if self.has(Bug::ClaimInTwoSteps) {
            return self.claim_in_two_steps(claim).await;
        }
        self.store.claim_commands(claim).await
    }

    async fn advance_command(&self, advance: AdvanceCommand) -> Result<AdvanceOutcome, StoreError> {
        if let (true, Some(audit)) = (self.has(Bug::AuditApart), &advance.audit) {
            self.store.append_audit(vec![audit.clone()]).await?;
        }
        self.store.advance_command(advance).await
    }

    async fn lose_link(&self, link: LinkId, at: Timestamp) -> Result<Vec<CommandRow>, StoreError> {
        self.store.lose_link(link, at).await
    }

    async fn expire_commands(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<CommandRow>, StoreError> {
        self.store.expire_commands(now, limit).await
    }

    async fn command(
        &self,
        project: ProjectId,
        id: CommandId,
    ) -> Result<Option<CommandRow>, StoreError> {
        if self.has(Bug::LookUpAcrossProjects) {
            return Ok(self
                .all_commands()
                .await?
                .into_iter()
                .find(|row| row.id == id));
        }
        self.store.command(project, id).await
    }

    async fn commands(
        &self,
        project: ProjectId,
        filter: &CommandFilter,
        page: PageRequest,
    ) -> Result<Page<CommandRow>, StoreError> {
        self.store.commands(project, filter, page).await
    }
}
