//! A connection of the pool, lent to one operation.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, SqlStr, Transaction};
use tokio::runtime::Handle;

use crate::fault::Fault;

/// How long a server may take to say that it is still there.
const RETURN_WAIT: Duration = Duration::from_secs(2);

/// Given back with its end, unless nobody knows what the connection is in the middle of: then it is closed, which rolls back.
pub(crate) struct Lent {
    /// There until the end.
    conn: Option<PoolConnection<Postgres>>,
    limit: Duration,
    end: End,
}

/// What is known of a connection whose operation ends here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The operation came to its own end.
    Sound,
    /// Whoever waited for the operation left, and the answer to a statement may still be on its way.
    BrokenOff,
    /// It may hold a transaction that nobody ends, or answer never, or refuse the same statement again.
    Unsure,
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
            conn: Some(pool.acquire().await?),
            limit,
            end: End::BrokenOff,
        };
        let within = tokio::time::timeout(limit, work(&mut lent)).await;
        lent.end = match &within {
            // Whatever it still waits for may never come: the pool must not wait for it too.
            Err(_) => End::Unsure,
            Ok(Err(fault)) if fault.is_of_the_connection() => End::Unsure,
            // Its transaction was never begun, as far as anybody knows.
            Ok(Err(_)) if lent.end == End::Unsure => End::Unsure,
            Ok(_) => End::Sound,
        };
        within.unwrap_or(Err(Fault::TooSlow))
    }

    /// For statements outside a transaction. Their answers are read before the next statement, also when nobody waits for them
    /// any more.
    pub(crate) fn conn(&mut self) -> Result<&mut PgConnection, Fault> {
        let conn = self.conn.as_mut();
        Ok(conn.ok_or(Fault::Bug("a connection is used after its end"))?)
    }

    /// Begins a transaction. It is rolled back unless it is committed, by whoever drops it.
    pub(crate) async fn begin(
        &mut self,
        begin: SqlStr,
    ) -> Result<Transaction<'_, Postgres>, Fault> {
        // Until the server has answered, the driver does not count the transaction as open and would not roll it back (sqlx 0.9):
        // what is dropped here would leave it to the next one that gets the connection.
        self.end = End::Unsure;
        let conn = self.conn.as_mut();
        let conn = conn.ok_or(Fault::Bug("a connection is used after its end"))?;
        let transaction = conn.begin_with(begin).await?;
        self.end = End::BrokenOff;
        Ok(transaction)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut conn) = self.conn.take() else {
            return;
        };
        let limit = match self.end {
            End::Sound => RETURN_WAIT,
            // Not closed at once: whoever leaves again and again in the middle of a slow search would have the server run any
            // number of them.
            End::BrokenOff => self.limit,
            End::Unsure => Duration::ZERO,
        };
        match Handle::try_current() {
            // The pool reads what is still to come and asks the server whether it is there, without a limit of its own (sqlx 0.9,
            // where dropping the connection spawns just this): on a way that swallows answers its place would be gone until
            // the kernel gives up.
            Ok(runtime) if !limit.is_zero() => {
                let back = conn.return_to_pool();
                runtime.spawn(tokio::time::timeout(limit, back));
            }
            _ => conn.close_on_drop(),
        }
    }
}
