//! Connections that do nothing but take in batches, one batch at a time each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures_util::future::try_join_all;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, SimpleQueryMessage};

use crate::connect::{Connector, Line};
use crate::fault::Fault;

/// A value of a statement.
pub(super) type Value<'v> = &'v (dyn ToSql + Sync);

/// A statement and the types of its values.
pub(super) struct Statement {
    pub(super) sql: &'static str,
    pub(super) types: &'static [Type],
}

/// A connection with its statements.
pub(super) struct Lane {
    line: Line,
    /// Empty behind PgBouncer, where the next transaction may run on another connection.
    prepared: HashMap<&'static str, tokio_postgres::Statement>,
}

impl Lane {
    async fn open(
        connector: &Connector,
        statements: &'static [&'static Statement],
        is_pooled: bool,
    ) -> Result<Self, Fault> {
        let line = connector.connect(None).await?;
        let wanted = if is_pooled { &[] } else { statements };
        let prepare = wanted.iter().map(|statement| async {
            let prepared = line.client.prepare_typed(statement.sql, statement.types);
            prepared.await.map(|prepared| (statement.sql, prepared))
        });
        let prepared = try_join_all(prepare).await?.into_iter().collect();
        Ok(Self { line, prepared })
    }

    /// Sends the statement when it is first polled, so that statements that are joined travel together, in order.
    pub(super) async fn query(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let client = &self.line.client;
        let rows = match self.prepared.get(statement.sql) {
            Some(prepared) => client.query(prepared, values).await?,
            None => {
                let typed: Vec<_> = values
                    .iter()
                    .copied()
                    .zip(statement.types.iter().cloned())
                    .collect();
                client.query_typed(statement.sql, &typed).await?
            }
        };
        Ok(rows)
    }

    /// Statements without values or answers. Sent as in [`Self::query`].
    pub(super) async fn run(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.line.client.batch_execute(sql).await?)
    }

    /// The first column of what a statement without values answers.
    pub(super) async fn ask(&self, sql: &str) -> Result<Vec<String>, Fault> {
        let messages = self.line.client.simple_query(sql).await?;
        let texts = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok(texts.collect())
    }

    /// Whether the connection is of no use any more.
    pub(super) fn is_gone(&self) -> bool {
        self.line.is_gone()
    }
}

/// All lanes of a store.
pub(super) struct Lanes {
    connector: Connector,
    statements: &'static [&'static Statement],
    is_pooled: bool,
    permits: Semaphore,
    idle: Mutex<Vec<Lane>>,
}

/// A lane in use. It is closed unless it is [given back](Self::give_back), because only whoever ran a transaction to its
/// end knows that the next one starts from nothing.
pub(super) struct Borrowed<'l> {
    pub(super) lane: Lane,
    lanes: &'l Lanes,
    _permit: SemaphorePermit<'l>,
}

impl Lanes {
    pub(super) const fn new(
        connector: Connector,
        statements: &'static [&'static Statement],
        is_pooled: bool,
        count: usize,
    ) -> Self {
        Self {
            connector,
            statements,
            is_pooled,
            permits: Semaphore::const_new(count),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Waits for a free lane, in order of arrival; connects when it has no living connection.
    pub(super) async fn borrow(&self) -> Result<Borrowed<'_>, Fault> {
        let permit = self.permits.acquire().await.map_err(|_| Fault::Closed)?;
        let lane = match self.take_idle() {
            Some(lane) => lane,
            None => Lane::open(&self.connector, self.statements, self.is_pooled).await?,
        };
        Ok(Borrowed {
            lane,
            lanes: self,
            _permit: permit,
        })
    }

    /// Closes every connection; whoever waits for one or comes later is refused.
    pub(super) fn close(&self) {
        self.permits.close();
        self.lock().clear();
    }

    fn take_idle(&self) -> Option<Lane> {
        let mut idle = self.lock();
        idle.retain(|lane| !lane.line.is_gone());
        idle.pop()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Lane>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Borrowed<'_> {
    /// Keeps the connection for the next batch.
    pub(super) fn give_back(self) {
        let mut idle = self.lanes.lock();
        if !self.lanes.permits.is_closed() {
            idle.push(self.lane);
        }
    }
}
