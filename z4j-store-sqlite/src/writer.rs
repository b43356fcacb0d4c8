//! The one thread that writes: it takes what waits, commits it as one, and then answers everybody.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};
use z4j_core::id::ProjectId;
use z4j_core::store::{StoreError, StoreErrorKind, Topic};

use crate::fault::Fault;

/// Jobs that may wait. More make their callers wait.
const JOBS_WAITING_MAX: usize = 256;
/// Work that one commit takes in at most, in events; other jobs weigh one.
const COMMIT_WEIGHT_MAX: usize = 4_000;

/// What one job works with: the open transaction, and what the writer remembers between jobs.
#[derive(Debug)]
pub(crate) struct Tx<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) memory: &'a mut Memory,
}

impl Tx<'_> {
    /// Hints at a change once it is committed.
    pub(crate) fn wake(&mut self, topic: Topic) {
        if !self.memory.wakes.contains(&topic) {
            self.memory.wakes.push(topic);
        }
    }
}

/// What the writer knows without asking the database. Forgotten whenever a job is rolled back.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) projects: HashMap<ProjectId, i64>,
    pub(crate) next_task: Option<i64>,
    /// Changes with what another process or store commits.
    data_version: Option<i64>,
    wakes: Vec<Topic>,
}

impl Memory {
    fn forget(&mut self) {
        self.projects.clear();
        self.next_task = None;
    }
}

/// A write that waits for its turn and then for its commit.
trait Job: Send {
    fn weight(&self) -> usize;
    /// Does the work inside the open transaction; on `Err` it must be rolled back.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreErrorKind>;
    /// Answers the caller. `lost` says why the transaction did not commit.
    fn answer(self: Box<Self>, lost: Option<StoreErrorKind>);
}

struct Write<T, F> {
    context: &'static str,
    weight: usize,
    work: Option<F>,
    outcome: Option<Result<T, Fault>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Write<T, F>
where
    T: Send,
    F: FnOnce(&mut Tx<'_>) -> Result<T, Fault> + Send,
{
    fn weight(&self) -> usize {
        self.weight
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreErrorKind> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|panic| {
            tracing::error!(
                operation = self.context,
                panic = panic_text(&*panic),
                "a write panicked and was rolled back"
            );
            Err(Fault::Bug("a write panicked"))
        });
        let done = outcome.as_ref().map(|_| ()).map_err(Fault::kind);
        self.outcome = Some(outcome);
        done
    }

    fn answer(self: Box<Self>, lost: Option<StoreErrorKind>) {
        let outcome = match (self.outcome, lost) {
            (Some(Err(fault)), _) => Err(fault.during(self.context)),
            (_, Some(kind)) => Err(StoreError::new(kind, self.context)),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(Fault::Closed.during(self.context)),
        };
        // Nobody may wait for it any more; the write is as good.
        let _ = self.reply.send(outcome);
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .unwrap_or("no message")
}

enum Message {
    Job(Box<dyn Job>),
    Stop(oneshot::Sender<()>),
}

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Message>,
}

impl Writer {
    /// Starts the thread. It ends when the last [`Writer`] is gone or after [`Writer::stop`].
    pub(crate) fn start(
        db: Connection,
        checkpoint_pages: u32,
        wakeups: broadcast::Sender<Topic>,
    ) -> Result<(Self, JoinHandle<()>), Fault> {
        let (sender, jobs) = mpsc::channel(JOBS_WAITING_MAX);
        let desk = Desk {
            db,
            jobs,
            memory: Memory::default(),
            wakeups,
            checkpoint_pages,
        };
        let thread = std::thread::Builder::new()
            .name("z4j-sqlite-write".into())
            .spawn(move || desk.serve())?;
        Ok((Self { jobs: sender }, thread))
    }

    /// Waits for `work` and for its commit.
    pub(crate) async fn write<T, F>(
        &self,
        context: &'static str,
        weight: usize,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Write {
            context,
            weight,
            work: Some(work),
            outcome: None,
            reply,
        });
        let closed = || Fault::Closed.during(context);
        self.jobs
            .send(Message::Job(job))
            .await
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Finishes what waits, folds the log into the database and ends the thread.
    pub(crate) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.jobs.send(Message::Stop(done)).await.is_ok() {
            let _ = stopped.await;
        }
    }
}

/// The thread's own side.
struct Desk {
    db: Connection,
    jobs: mpsc::Receiver<Message>,
    memory: Memory,
    wakeups: broadcast::Sender<Topic>,
    checkpoint_pages: u32,
}

impl Desk {
    fn serve(mut self) {
        let mut stopping = None;
        while stopping.is_none()
            && let Some(first) = self.jobs.blocking_recv()
        {
            let group = self.gather(first, &mut stopping);
            self.commit(group);
            self.checkpoint_when_due();
        }
        self.jobs.close();
        if let Err(error) = self
            .db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        {
            tracing::warn!(%error, "the write-ahead log could not be folded into the database at the end");
        }
        drop(self.db);
        if let Some(done) = stopping {
            let _ = done.send(());
        }
    }

    /// What waits now, up to the weight of one commit.
    fn gather(
        &mut self,
        first: Message,
        stopping: &mut Option<oneshot::Sender<()>>,
    ) -> Vec<Box<dyn Job>> {
        let mut group = Vec::new();
        let mut weight = 0_usize;
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Job(job) => {
                    weight = weight.saturating_add(job.weight());
                    group.push(job);
                }
                Message::Stop(done) => {
                    *stopping = Some(done);
                    break;
                }
            }
            next = if weight < COMMIT_WEIGHT_MAX {
                self.jobs.try_recv().ok()
            } else {
                None
            };
        }
        group
    }

    fn commit(&mut self, mut group: Vec<Box<dyn Job>>) {
        if group.is_empty() {
            return;
        }
        let lost = self.run_all(&mut group).err().map(|fault| {
            self.memory.forget();
            if !self.db.is_autocommit() {
                let _ = self.db.execute_batch("ROLLBACK");
            }
            let kind = fault.kind();
            tracing::warn!(kind = kind.as_str(), jobs = group.len(), error = %fault, "a group of writes was rolled back");
            kind
        });
        for job in group {
            job.answer(lost);
        }
        for topic in self.memory.wakes.drain(..) {
            // No receiver is no fault: a wake-up is a hint.
            let _ = self.wakeups.send(topic);
        }
    }

    fn run_all(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), Fault> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.look_for_others()?;
        for job in group {
            self.run_one(job.as_mut())?;
        }
        self.db.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Forgets what somebody else may have changed since the last transaction. From here on nobody else writes.
    fn look_for_others(&mut self) -> Result<(), Fault> {
        let mut ask = self.db.prepare_cached("PRAGMA data_version")?;
        let version = Some(ask.query_row([], |row| row.get(0))?);
        if self.memory.data_version != version {
            self.memory.forget();
            self.memory.data_version = version;
        }
        Ok(())
    }

    /// One job within its own savepoint, so that its failure costs nobody else.
    fn run_one(&mut self, job: &mut dyn Job) -> Result<(), Fault> {
        self.db.prepare_cached("SAVEPOINT job")?.execute([])?;
        let mut tx = Tx {
            db: &self.db,
            memory: &mut self.memory,
        };
        if let Err(kind) = job.run(&mut tx) {
            self.memory.forget();
            if self.db.is_autocommit() {
                return Err(Fault::GivenUp(kind));
            }
            self.db.prepare_cached("ROLLBACK TO job")?.execute([])?;
        }
        self.db.prepare_cached("RELEASE job")?.execute([])?;
        Ok(())
    }

    /// Folds the log into the database. Here and not beside the writes: only then can the log start over.
    fn checkpoint_when_due(&self) {
        let pages = self.log_pages().unwrap_or(0);
        if pages < i64::from(self.checkpoint_pages) {
            return;
        }
        // A reader in the way leaves part of the log for the next time; far beyond the limit it is worth waiting for.
        let mode = if pages < i64::from(self.checkpoint_pages).saturating_mul(4) {
            "PASSIVE"
        } else {
            "RESTART"
        };
        if let Err(error) = self
            .db
            .query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
        {
            tracing::warn!(%error, pages, "the write-ahead log could not be folded into the database");
        }
    }

    fn log_pages(&self) -> rusqlite::Result<i64> {
        self.db
            .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?
            .query_row([], |row| row.get(1))
    }
}
