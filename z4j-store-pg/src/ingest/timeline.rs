//! The events of one task, in the few partitions that hold them.

use uuid::Uuid;
use z4j_core::id::{AgentId, EventId, ProjectId, TaskKey};
use z4j_core::store::{EventRow, Page, PageRequest};
use z4j_core::task::EventKind;

use crate::cursor;
use crate::db::Db;
use crate::fault::Fault;
use crate::row;
use crate::text;

/// `occurred_at`, `rank`, `id` of the last row.
type Position = (i64, i16, Uuid);

const REACH: &str = "SELECT sent_from, sent_until FROM tasks WHERE project_id = $1 AND engine = $2 AND task_id = $3";

pub(super) const SELECT: &str = "SELECT id, kind, occurred_at, received_at, agent_id, worker, data, rank FROM events
    WHERE project_id = $1 AND task_id = $2 AND task_id <> '' AND engine = $3 AND sent_at BETWEEN $4 AND $5
        AND (occurred_at, rank, id) > ($6, $7, $8)
    ORDER BY occurred_at, rank, id LIMIT $9";

/// What is asked for.
pub(super) struct Request<'r> {
    pub(super) project: ProjectId,
    pub(super) task: &'r TaskKey,
    pub(super) page: PageRequest,
}

pub(super) async fn read(db: &mut Db<'_>, request: &Request<'_>) -> Result<Page<EventRow>, Fault> {
    let tag = cursor::query_tag(&("events", request.project, request.task))?;
    let start: Option<Position> = cursor::open(&tag, request.page.after.as_ref())?;
    let (after, rank, id) = start.unwrap_or((i64::MIN, 0, Uuid::nil()));
    let project = *request.project.as_uuid();
    let engine = text::put(&request.task.engine).into_owned();
    let task_id = text::put(&request.task.task_id).into_owned();
    let reach = db
        .sql(REACH)
        .bind(project)
        .bind(engine.clone())
        .bind(task_id.clone())
        .fetch_optional(db.conn())
        .await?;
    let Some(reach) = reach else {
        return Ok(Page {
            items: Vec::new(),
            next: None,
        });
    };
    let rows = db
        .sql(SELECT)
        .bind(project)
        .bind(task_id)
        .bind(engine)
        .bind(row::get::<i64>(&reach, "sent_from")?)
        .bind(row::get::<i64>(&reach, "sent_until")?)
        .bind(after)
        .bind(rank)
        .bind(id)
        .bind(i64::from(request.page.limit) + 1)
        .fetch_all(db.conn())
        .await?;
    let wanted = request.page.limit as usize;
    let has_more = rows.len() > wanted;
    let mut items = Vec::with_capacity(rows.len().min(wanted));
    let mut last = None;
    for row in rows.iter().take(wanted) {
        items.push(event(row)?);
        last = Some((
            row::get::<i64>(row, "occurred_at")?,
            row::get::<i16>(row, "rank")?,
            row::get::<Uuid>(row, "id")?,
        ));
    }
    let next = match last {
        Some(last) if has_more => Some(cursor::seal(&tag, last)?),
        _ => None,
    };
    Ok(Page { items, next })
}

fn event(row: &sqlx::postgres::PgRow) -> Result<EventRow, Fault> {
    Ok(EventRow {
        id: row::id(row, "id", EventId::from_uuid)?,
        kind: EventKind::parse(&row::text(row, "kind")?),
        occurred_at: row::time(row, "occurred_at")?,
        received_at: row::time(row, "received_at")?,
        agent_id: row::id(row, "agent_id", AgentId::from_uuid)?,
        worker: row::text_opt(row, "worker")?,
        data: row::text(row, "data")?,
    })
}
