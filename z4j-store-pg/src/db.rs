//! What one operation works with: a connection, usually within a transaction.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, SqlSafeStr};

/// The connection of one operation.
pub(crate) struct Db<'c> {
    conn: &'c mut PgConnection,
    is_pooled: bool,
}

impl<'c> Db<'c> {
    pub(crate) const fn new(conn: &'c mut PgConnection, is_pooled: bool) -> Self {
        Self { conn, is_pooled }
    }

    /// A statement. Behind PgBouncer it is prepared without a name, because the next one may meet another server connection.
    pub(crate) fn sql<'q>(&self, sql: impl SqlSafeStr) -> Query<'q, Postgres, PgArguments> {
        sqlx::query(sql).persistent(!self.is_pooled)
    }

    pub(crate) const fn conn(&mut self) -> &mut PgConnection {
        self.conn
    }
}
