//! A connection of the pool, lent to one operation.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Postgres, SqlStr, Transaction};

use crate::fault::Fault;

/// Given back with its end, unless the operation broke off where nobody knows what the connection is in the middle of: then it
/// is closed, which rolls back.
pub(crate) struct Lent {
    conn: PoolConnection<Postgres>,
    is_unsure: bool,
}

impl Lent {
    /// Lets `work` have a connection for `limit` at most.
    ///
    /// # Errors
    /// [`Fault::TooSlow`] when it took longer, or that of `work`, or when there is none to be had.
    pub(crate) async fn run<T, F>(pool: &PgPool, limit: Duration, work: F) -> Result<T, Fault>
    where
        F: AsyncFnOnce(&mut Self) -> Result<T, Fault>,
    {
        let mut lent = Self {
            conn: pool.acquire().await?,
            is_unsure: false,
        };
        let within = tokio::time::timeout(limit, work(&mut lent)).await;
        // Whatever it still waits for may never come: the pool must not wait for it too.
        lent.is_unsure |= within.is_err();
        within.unwrap_or(Err(Fault::TooSlow))
    }

    /// For statements outside a transaction. Their answers are read before the next statement, also when nobody waits for them
    /// any more.
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        &mut self.conn
    }

    /// Begins a transaction. It is rolled back unless it is committed, by whoever drops it.
    pub(crate) async fn begin(
        &mut self,
        begin: SqlStr,
    ) -> Result<Transaction<'_, Postgres>, Fault> {
        // Until the server has answered, the driver does not count the transaction as open and would not roll it back (sqlx 0.9):
        // what is dropped here would leave it to the next one that gets the connection.
        self.is_unsure = true;
        let transaction = self.conn.begin_with(begin).await?;
        self.is_unsure = false;
        Ok(transaction)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.is_unsure {
            self.conn.close_on_drop();
        }
    }
}
