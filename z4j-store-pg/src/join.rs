//! z4j's writes as a part of the caller's own transaction.

use std::fmt;

use sqlx::{Postgres, Transaction};
use z4j_core::store::{AuditWrite, IssueCommand, IssueOutcome, StoreError};

use crate::audit;
use crate::commands::issue;
use crate::db::Db;
use crate::fault::Fault;
use crate::row;
use crate::store::PgStore;

/// A transaction of the caller's, in which writes of z4j take part: they are committed with it, or not at all.
///
/// A fault leaves the transaction as the database leaves it after any failed statement: to be rolled back. Nothing is
/// tried again here; the caller repeats the whole transaction. Whether its commit survives a loss of power is up to the
/// caller's settings.
pub struct Joined<'j> {
    db: Db<'j>,
    schema: Option<&'j str>,
}

impl PgStore {
    /// Lets writes of z4j take part in the caller's transaction on the same database.
    ///
    /// ```no_run
    /// # use z4j_core::store::{IssueCommand, IssueOutcome, StoreError};
    /// # use z4j_store_pg::PgStore;
    /// # #[derive(Debug)] struct Failed;
    /// # impl From<sqlx::Error> for Failed { fn from(_: sqlx::Error) -> Self { Self } }
    /// # impl From<StoreError> for Failed { fn from(_: StoreError) -> Self { Self } }
    /// async fn refund(pool: &sqlx::PgPool, store: &PgStore, order: i64, retry: IssueCommand) -> Result<(), Failed> {
    ///     let mut transaction = pool.begin().await?;
    ///     sqlx::query("UPDATE orders SET refunded = true WHERE id = $1")
    ///         .bind(order)
    ///         .execute(&mut *transaction)
    ///         .await?;
    ///     // The command is there if, and only if, the refund is.
    ///     match store.join(&mut transaction).issue_command(&retry).await? {
    ///         IssueOutcome::Issued(_) | IssueOutcome::Repeated(_) => transaction.commit().await?,
    ///         IssueOutcome::KeyReused => transaction.rollback().await?,
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn join<'j>(&'j self, transaction: &'j mut Transaction<'_, Postgres>) -> Joined<'j> {
        let inner = &self.inner;
        Joined {
            db: Db::new(transaction, inner.session.is_pooled).telling(inner.listener.channel()),
            schema: inner.config.schema.as_deref(),
        }
    }
}

impl Joined<'_> {
    /// As [`z4j_core::store::CommandStore::issue_command`]. Brains are woken by the commit.
    ///
    /// # Errors
    /// Any [`StoreError`]; the transaction can only be rolled back then.
    pub async fn issue_command(
        &mut self,
        command: &IssueCommand,
    ) -> Result<IssueOutcome, StoreError> {
        let outcome = async {
            let path = self.enter().await?;
            let outcome = issue::issue(&mut self.db, command).await?;
            self.leave(path).await?;
            Ok(outcome)
        };
        outcome
            .await
            .map_err(|fault: Fault| fault.during("issue command"))
    }

    /// As [`z4j_core::store::AuditStore::append_audit`]. The chains are held until the transaction ends, so it should end
    /// soon.
    ///
    /// # Errors
    /// Any [`StoreError`]; the transaction can only be rolled back then.
    pub async fn append_audit(&mut self, entries: &[AuditWrite]) -> Result<(), StoreError> {
        let outcome = async {
            let path = self.enter().await?;
            for entry in entries {
                audit::append(&mut self.db, entry).await?;
            }
            self.leave(path).await
        };
        outcome
            .await
            .map_err(|fault: Fault| fault.during("append audit"))
    }

    /// Looks for tables where ours are; answers where the caller looked.
    async fn enter(&mut self) -> Result<Option<String>, Fault> {
        let Some(schema) = self.schema else {
            return Ok(None);
        };
        let found = self
            .db
            .sql("SELECT current_setting('search_path') AS path")
            .fetch_one(self.db.conn())
            .await?;
        self.look_in(schema).await?;
        row::get(&found, "path").map(Some)
    }

    async fn leave(&mut self, path: Option<String>) -> Result<(), Fault> {
        match path {
            Some(path) => self.look_in(&path).await,
            None => Ok(()),
        }
    }

    async fn look_in(&mut self, path: &str) -> Result<(), Fault> {
        self.db
            .sql("SELECT set_config('search_path', $1, true)")
            .bind(path.to_owned())
            .execute(self.db.conn())
            .await?;
        Ok(())
    }
}

impl fmt::Debug for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joined").finish_non_exhaustive()
    }
}
