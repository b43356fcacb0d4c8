//! The store itself: its connections, and the way to them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use sqlx::{PgPool, SqlStr};
use tokio::time::Instant;
use z4j_core::env::Env;
use z4j_core::limits;
use z4j_core::store::StoreError;

use crate::commands::Heads;
use crate::config::PgConfig;
use crate::db::Db;
use crate::fault::Fault;
use crate::ingest::Ingest;
use crate::lent::Lent;
use crate::listen::Listener;
use crate::migrate::{self, Migrated};
use crate::open;
use crate::session::Session;
use crate::tasks::Mover;

/// Tries after the first one of a write that loses against others.
const CONFLICTS_MAX: u32 = 5;
/// Longest first wait before such a try; it grows with each.
const CONFLICT_WAIT: Duration = Duration::from_millis(10);
/// How long connections may take to say goodbye.
const CLOSE_WAIT: Duration = Duration::from_millis(500);
/// A read is stopped by the server; this much later it counts as lost.
const READ_GRACE: Duration = Duration::from_secs(1);

/// A store in a PostgreSQL database. Clones share it; the connections close with the last one.
#[derive(Clone)]
pub struct PgStore {
    pub(crate) inner: Arc<Inner>,
}

/// What all clones share.
pub(crate) struct Inner {
    pub(crate) config: PgConfig,
    pub(crate) session: Session,
    pub(crate) pool: PgPool,
    pub(crate) listener: Listener,
    pub(crate) ingest: Ingest,
    pub(crate) heads: Heads,
    /// Indexes the texts of new tasks.
    pub(crate) mover: Mover,
}

impl PgStore {
    /// Brings the schema of the database up to date. For the deploy step; any number of callers at once do it once.
    ///
    /// # Errors
    /// A [`StoreError`] whose source says in one sentence what is wrong and what to do; the schema is as it was.
    pub async fn migrate(config: &PgConfig) -> Result<Migrated, StoreError> {
        migrate::run(config)
            .await
            .map_err(|fault| fault.during("migrate database"))
    }

    /// Whether the database holds nothing of ours yet, so that nothing can be lost by [`Self::migrate`].
    ///
    /// # Errors
    /// As [`Self::migrate`].
    pub async fn is_new(config: &PgConfig) -> Result<bool, StoreError> {
        migrate::is_new(config)
            .await
            .map_err(|fault| fault.during("look at database"))
    }

    /// Names the schema that this program knows: the same for the same migrations, in lower-case hexadecimal.
    #[must_use]
    pub fn schema_digest() -> String {
        migrate::digest()
    }

    /// Connects to a database whose schema is up to date.
    ///
    /// # Errors
    /// A [`StoreError`] whose source says in one sentence what is wrong and what to do, and whose kind says why:
    /// `Unavailable` for a server that cannot be reached or is too old, `ReadOnly` for one that takes no writes from us,
    /// `SchemaTooOld` and `SchemaTooNew`, `Damaged` for a schema of somebody else, `InvalidQuery` for a wrong setting.
    pub async fn open(config: PgConfig) -> Result<Self, StoreError> {
        open::open(config)
            .await
            .map(|inner| Self {
                inner: Arc::new(inner),
            })
            .map_err(|fault| fault.during("open database"))
    }

    /// Closes every connection; waits for that half a second at most. Later calls fail as `Unavailable`.
    pub async fn close(&self) {
        self.inner.listener.stop();
        self.inner.ingest.close();
        self.inner.mover.stop();
        // Waits for every connection that is lent, also for one whose server does not answer.
        let pool = self.inner.pool.clone();
        let closing = tokio::spawn(async move { pool.close().await });
        let _ = tokio::time::timeout(CLOSE_WAIT, closing).await;
    }

    pub(crate) fn env(&self) -> &Env {
        &self.inner.config.env
    }

    /// One transaction that writes. `work` runs again when the transaction loses against another, so it must have no
    /// effect outside of it.
    pub(crate) async fn write<R, T, F>(
        &self,
        context: &'static str,
        request: &R,
        work: F,
    ) -> Result<T, StoreError>
    where
        R: Sync + ?Sized,
        T: Send,
        F: for<'t, 'c> Fn(&'t mut Db<'c>, &'t R) -> BoxFuture<'t, Result<T, Fault>> + Send + Sync,
    {
        let begin = &self.inner.session.begin_write;
        let deadline = Instant::now() + self.inner.config.write_time_max;
        let mut tries = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let fault = match self.transact(begin, left, request, &work).await {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            // Of two that write the same new row one is refused; trying again it finds the row of the other.
            if tries >= CONFLICTS_MAX || !(fault.is_conflict() || fault.is_duplicate()) {
                return Err(fault.during(context));
            }
            tries += 1;
            let wait = self.env().jitter(CONFLICT_WAIT * tries);
            tokio::time::sleep(wait).await;
        }
    }

    /// Statements outside a transaction, of which the last one writes: each commits by itself. `None` without a try where that
    /// would not be durable for sure, because the next statement may run on another connection; and when the server stopped one
    /// of them after the time for reads, and so nothing was written.
    pub(crate) async fn write_alone<R, T, F>(
        &self,
        context: &'static str,
        request: &R,
        work: F,
    ) -> Result<Option<T>, StoreError>
    where
        R: Sync + ?Sized,
        T: Send,
        F: for<'t, 'c> Fn(&'t mut Db<'c>, &'t R) -> BoxFuture<'t, Result<Option<T>, Fault>>
            + Send
            + Sync,
    {
        if self.inner.session.is_pooled {
            return Ok(None);
        }
        let limit = self.inner.config.write_time_max;
        let outcome = Lent::run(&self.inner.pool, limit, async |lent| {
            work(&mut Db::new(lent.conn()?, false), request).await
        });
        match outcome.await {
            Err(fault) if fault.is_cancelled() => Ok(None),
            outcome => outcome.map_err(|fault| fault.during(context)),
        }
    }

    /// One statement that reads, or several that need not see one state.
    pub(crate) async fn read<R, T, F>(
        &self,
        context: &'static str,
        request: &R,
        work: F,
    ) -> Result<T, StoreError>
    where
        R: Sync + ?Sized,
        T: Send,
        F: for<'t, 'c> Fn(&'t mut Db<'c>, &'t R) -> BoxFuture<'t, Result<T, Fault>> + Send + Sync,
    {
        if self.inner.session.is_pooled {
            return self.read_snapshot(context, request, work).await;
        }
        let limit = limits::READ_TIME_MAX + READ_GRACE;
        Lent::run(&self.inner.pool, limit, async |lent| {
            work(&mut Db::new(lent.conn()?, false), request).await
        })
        .await
        .map_err(|fault| fault.during(context))
    }

    /// Statements that read and see one state.
    pub(crate) async fn read_snapshot<R, T, F>(
        &self,
        context: &'static str,
        request: &R,
        work: F,
    ) -> Result<T, StoreError>
    where
        R: Sync + ?Sized,
        T: Send,
        F: for<'t, 'c> Fn(&'t mut Db<'c>, &'t R) -> BoxFuture<'t, Result<T, Fault>> + Send + Sync,
    {
        let begin = &self.inner.session.begin_read;
        self.transact(begin, limits::READ_TIME_MAX + READ_GRACE, request, &work)
            .await
            .map_err(|fault| fault.during(context))
    }

    async fn transact<R, T, F>(
        &self,
        begin: &SqlStr,
        limit: Duration,
        request: &R,
        work: &F,
    ) -> Result<T, Fault>
    where
        R: Sync + ?Sized,
        T: Send,
        F: for<'t, 'c> Fn(&'t mut Db<'c>, &'t R) -> BoxFuture<'t, Result<T, Fault>> + Send + Sync,
    {
        let (is_pooled, channel) = (self.inner.session.is_pooled, self.inner.listener.channel());
        Lent::run(&self.inner.pool, limit, async |lent| {
            let mut transaction = lent.begin(begin.clone()).await?;
            let mut db = Db::new(&mut transaction, is_pooled).telling(channel);
            match work(&mut db, request).await {
                Ok(value) => {
                    transaction.commit().await?;
                    Ok(value)
                }
                Err(fault) => {
                    // Without an answer the connection is closed, which rolls back as well.
                    let _ = transaction.rollback().await;
                    Err(fault)
                }
            }
        })
        .await
    }
}

impl fmt::Debug for PgStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgStore")
            .field("url", &self.inner.config.url)
            .finish_non_exhaustive()
    }
}
