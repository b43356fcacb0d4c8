//! What a store needs to know before it opens.

use std::path::PathBuf;
use std::time::Duration;

use z4j_core::env::Env;

use crate::url::PgUrl;

/// Where the database is, and how it may be used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PgConfig {
    /// The database.
    pub url: PgUrl,
    /// The database without PgBouncer, for the one connection that waits for notifications; `None`: `url`.
    pub listen_url: Option<PgUrl>,
    /// A file with the authorities that the server's certificate may come from; `None`: the well-known ones.
    pub tls_root: Option<PathBuf>,
    /// The schema that holds z4j's tables; `None`: the first of the role's search path.
    pub schema: Option<String>,
    /// Connections for everything but ingest and notifications, at most.
    pub connections: u32,
    /// How long a caller waits for a free connection.
    pub connection_wait: Duration,
    /// How long one write may take, its retries included, before its outcome counts as unknown.
    pub write_time_max: Duration,
    /// `url` leads to PgBouncer in transaction mode: nothing is kept in a session.
    pub behind_pgbouncer: bool,
    /// Start although the server may lose what it said was stored (`fsync` or `full_page_writes` off).
    pub weak_durability_allowed: bool,
    /// Jitter comes from here.
    pub env: Env,
}

impl PgConfig {
    /// The usual settings for the database at `url`.
    #[must_use]
    pub fn new(url: PgUrl) -> Self {
        Self {
            url,
            listen_url: None,
            tls_root: None,
            schema: None,
            connections: 10,
            connection_wait: Duration::from_secs(5),
            write_time_max: Duration::from_secs(15),
            behind_pgbouncer: false,
            weak_durability_allowed: false,
            env: Env::system(),
        }
    }

    /// The same with notifications over this connection.
    #[must_use]
    pub fn with_listen_url(mut self, url: PgUrl) -> Self {
        self.listen_url = Some(url);
        self
    }

    /// The same with these authorities.
    #[must_use]
    pub fn with_tls_root(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls_root = Some(file.into());
        self
    }

    /// The same with its tables in this schema.
    #[must_use]
    pub fn with_schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// The same with this many connections, at least two.
    #[must_use]
    pub const fn with_connections(mut self, connections: u32) -> Self {
        self.connections = if connections < 2 { 2 } else { connections };
        self
    }

    /// The same with this patience for a free connection.
    #[must_use]
    pub const fn with_connection_wait(mut self, wait: Duration) -> Self {
        self.connection_wait = wait;
        self
    }

    /// The same with this limit for one write.
    #[must_use]
    pub const fn with_write_time_max(mut self, limit: Duration) -> Self {
        self.write_time_max = limit;
        self
    }

    /// The same behind PgBouncer in transaction mode, or not.
    #[must_use]
    pub const fn behind_pgbouncer(mut self, is_behind: bool) -> Self {
        self.behind_pgbouncer = is_behind;
        self
    }

    /// The same on a server that may lose what it said was stored. For tests and throw-away data.
    #[must_use]
    pub const fn allowing_weak_durability(mut self, is_allowed: bool) -> Self {
        self.weak_durability_allowed = is_allowed;
        self
    }

    /// The same with this source of jitter.
    #[must_use]
    pub fn with_env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// The database without PgBouncer.
    pub(crate) fn direct_url(&self) -> PgUrl {
        let url = self.listen_url.as_ref().unwrap_or(&self.url);
        url.clone().with_ssl_root(self.tls_root.as_deref())
    }

    /// The database for everything else.
    pub(crate) fn main_url(&self) -> PgUrl {
        self.url.clone().with_ssl_root(self.tls_root.as_deref())
    }
}
