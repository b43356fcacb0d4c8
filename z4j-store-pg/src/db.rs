//! What one operation works with: a connection, usually within a transaction.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, SqlSafeStr};
use z4j_core::store::Topic;

use crate::fault::Fault;
use crate::listen;

/// The connection of one operation.
pub(crate) struct Db<'c> {
    conn: &'c mut PgConnection,
    is_pooled: bool,
    channel: Option<&'c str>,
}

impl<'c> Db<'c> {
    pub(crate) const fn new(conn: &'c mut PgConnection, is_pooled: bool) -> Self {
        Self {
            conn,
            is_pooled,
            channel: None,
        }
    }

    /// The same, for an operation that may tell other brains something.
    pub(crate) const fn telling(mut self, channel: &'c str) -> Self {
        self.channel = Some(channel);
        self
    }

    /// A statement. Behind PgBouncer it is prepared without a name, because the next one may meet another server connection.
    pub(crate) fn sql<'q>(&self, sql: impl SqlSafeStr) -> Query<'q, Postgres, PgArguments> {
        sqlx::query(sql).persistent(!self.is_pooled)
    }

    pub(crate) const fn conn(&mut self) -> &mut PgConnection {
        self.conn
    }

    /// Hints at a change, to all brains, once the transaction is committed.
    pub(crate) async fn wake(&mut self, topic: Topic) -> Result<(), Fault> {
        match listen::word(topic) {
            Some(word) => self.notify(word).await,
            None => Ok(()),
        }
    }

    /// The channel and the text of such a hint, for a statement that gives it beside other things.
    pub(crate) fn hint(&self, topic: Topic) -> Result<Option<(&'c str, &'static str)>, Fault> {
        let channel = self.channel()?;
        Ok(listen::word(topic).map(|word| (channel, word)))
    }

    /// Tells all brains something once the transaction is committed.
    pub(crate) async fn notify(&mut self, text: &str) -> Result<(), Fault> {
        let channel = self.channel()?;
        self.sql("SELECT pg_notify($1, $2)")
            .bind(channel)
            .bind(text)
            .execute(&mut *self.conn)
            .await?;
        Ok(())
    }

    fn channel(&self) -> Result<&'c str, Fault> {
        self.channel
            .ok_or(Fault::Bug("an operation that only reads tells something"))
    }
}
