//! Moves the words of new tasks to where an index finds them.
//!
//! Indexing them costs several times what storing their task does, so it is done beside ingest, in slices, with pauses in
//! proportion: it takes a quarter of one core at most. Searches read both places, and a slice moves in one transaction.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::fault::Fault;
use crate::row;
use crate::session::Session;

/// Rows that move at once when there are few: searches read the others from end to end.
const SLICE_ROWS_MIN: i64 = 2_000;
/// Rows that move at once when many wait. Entries of one gram are written together, so a row of 2,000 costs 350 µs, one of
/// 20,000 180 µs.
const SLICE_ROWS_MAX: i64 = 16_000;
/// How long a pass that found nothing waits, or one that somebody else is doing.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// How long a pass that failed waits.
const FAULT_WAIT: Duration = Duration::from_secs(10);
/// Pauses are this many times as long as the work before them.
const PAUSE_FACTOR: u32 = 3;
/// Names the advisory lock of a pass: one brain at a time.
const LOCK: i64 = 7_800_542;

pub(super) const PROJECTS: &str = "SELECT projects.id FROM projects WHERE EXISTS \
    (SELECT FROM task_texts_new WHERE task_texts_new.project_id = projects.id)";
pub(super) const MOVE: &str = "WITH moved AS ( \
        DELETE FROM task_texts_new WHERE project_id = $1 AND number = ANY(ARRAY( \
            SELECT number FROM task_texts_new WHERE project_id = $1 ORDER BY number LIMIT $2)) \
        RETURNING at, engine, task_id, words) \
    INSERT INTO task_texts (project_id, at, engine, task_id, words) SELECT $1, at, engine, task_id, words FROM moved";
const TRY_LOCK: &str = "SELECT pg_try_advisory_xact_lock($1) AS is_mine";
/// What new entries of an index wait in is read by every search from end to end. Only who owns an index may empty it; for
/// other roles autovacuum does.
const TIDY: &str = "SELECT gin_clean_pending_list(inhrelid) \
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid AND pg_has_role(relowner, 'USAGE') \
    WHERE inhparent = 'task_texts_by_gram'::regclass";

/// The task that does it. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Mover {
    stop: CancellationToken,
}

impl Mover {
    pub(crate) fn start(pool: PgPool, session: Session) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            stopped.run_until_cancelled_owned(run(pool, session)).await;
        });
        Self { stop }
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }
}

impl Drop for Mover {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn run(pool: PgPool, session: Session) {
    let mut size = SLICE_ROWS_MIN;
    loop {
        let began = Instant::now();
        let outcome = pass(&pool, &session, size).await;
        size = next_size(size, outcome.as_ref().ok());
        let wait = match outcome {
            Ok(moved) if moved.rows == 0 => IDLE_WAIT,
            Ok(_) => began.elapsed() * PAUSE_FACTOR,
            Err(fault) => {
                tracing::debug!(fault = %fault, "words of new tasks are not indexed yet");
                FAULT_WAIT
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    rows: u64,
    /// Whether some project had at least a whole slice.
    is_full: bool,
}

/// Larger while more waits than a slice; smaller after a failure, which may be that a slice takes too long.
fn next_size(size: i64, outcome: Option<&Moved>) -> i64 {
    match outcome {
        Some(moved) if moved.is_full => (size * 2).min(SLICE_ROWS_MAX),
        Some(_) => SLICE_ROWS_MIN,
        None => (size / 4).max(1),
    }
}

/// A slice of `size` rows of each project that has new words.
async fn pass(pool: &PgPool, session: &Session, size: i64) -> Result<Moved, Fault> {
    let mut conn = pool.acquire().await?;
    let mut moved = Moved::default();
    for project in projects(&mut conn, session).await? {
        let rows = slice(&mut conn, session, project, size).await?;
        moved.rows += rows;
        moved.is_full |= rows >= size.unsigned_abs();
    }
    Ok(moved)
}

async fn projects(conn: &mut PgConnection, session: &Session) -> Result<Vec<Uuid>, Fault> {
    let mut transaction = conn.begin_with(session.begin_read.clone()).await?;
    let query = |sql: &'static str| sqlx::query(sql).persistent(!session.is_pooled);
    let rows = query(PROJECTS).fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    rows.iter().map(|row| row::get(row, "id")).collect()
}

async fn slice(
    conn: &mut PgConnection,
    session: &Session,
    project: Uuid,
    size: i64,
) -> Result<u64, Fault> {
    let mut transaction = conn.begin_with(session.begin_write.clone()).await?;
    let query = |sql: &'static str| sqlx::query(sql).persistent(!session.is_pooled);
    let lock = query(TRY_LOCK)
        .bind(LOCK)
        .fetch_one(&mut *transaction)
        .await?;
    if !row::get::<bool>(&lock, "is_mine")? {
        transaction.rollback().await?;
        return Ok(0);
    }
    let moved = query(MOVE)
        .bind(project)
        .bind(size)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    if moved > 0 {
        query(TIDY).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_grow_while_more_waits_and_shrink_when_one_fails() {
        let full = Moved {
            rows: 1,
            is_full: true,
        };
        let mut size = SLICE_ROWS_MIN;
        for _ in 0..9 {
            size = next_size(size, Some(&full));
        }
        assert_eq!(size, SLICE_ROWS_MAX);
        assert_eq!(next_size(size, None), SLICE_ROWS_MAX / 4);
        assert_eq!(next_size(3, None), 1, "also where one row takes long");
        assert_eq!(next_size(size, Some(&Moved::default())), SLICE_ROWS_MIN);
    }
}
