//! The events of one task, in the few partitions that hold them.

use uuid::Uuid;
use z4j_core::id::{AgentId, EventId, ProjectId, TaskKey};
use z4j_core::store::{EventRow, Page, PageRequest};
use z4j_core::task::EventKind;

use crate::cursor;
use crate::day::{day_of_micros, start_micros};
use crate::db::Db;
use crate::fault::Fault;
use crate::row;
use crate::text;

/// `occurred_at`, `rank`, `id` of the last row.
type Position = (i64, i16, Uuid);

const REACH: &str = "SELECT sent_from, sent_until FROM tasks WHERE project_id = $1 AND engine = $2 AND task_id = $3";

const SELECT: &str = "SELECT id, kind, occurred_at, received_at, agent_id, worker, data, rank FROM events
    WHERE project_id = $1 AND task_id = $2 AND task_id <> '' AND engine = $3 AND sent_at BETWEEN $4 AND $5
        AND (occurred_at, rank, id) > ($6, $7, $8)
    ORDER BY occurred_at, rank, id LIMIT $9";

/// The whole days of a span. They are the same partitions, and a condition that a day fulfils as a whole does not tempt the
/// database to read all events of the span by time: of the newest, which it has not counted yet, it thinks that there are none.
const fn days(from: i64, until: i64) -> (i64, i64) {
    let end = start_micros(day_of_micros(until).saturating_add(1));
    (start_micros(day_of_micros(from)), end.saturating_sub(1))
}

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
    let (from, until) = days(
        row::get(&reach, "sent_from")?,
        row::get(&reach, "sent_until")?,
    );
    let rows = db
        .sql(SELECT)
        .bind(project)
        .bind(task_id)
        .bind(engine)
        .bind(from)
        .bind(until)
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

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, PgConnection, Row};
    use z4j_testkit::postgres::Database;

    use super::*;

    /// 2026-11-30, in microseconds.
    const DAY: i64 = 1_795_996_800_000_000;
    const FILL: &str = "CREATE TABLE events_day (LIKE events INCLUDING ALL);
        ALTER TABLE events ATTACH PARTITION events_day FOR VALUES FROM (1795996800000000) TO (1796083200000000);
        INSERT INTO events (project_id, sent_at, id, engine, task_id, occurred_at, rank, kind, received_at, agent_id, data)
            SELECT '00000000-0000-0000-0000-000000000001', 1795996800000000 + n * 100000, gen_random_uuid(), 'celery', md5((n / 3)::text), 0, 0,
                'task.started', 0, '00000000-0000-0000-0000-000000000002', '{}' FROM generate_series(FIRST, LAST::bigint) n;";

    async fn fill(conn: &mut PgConnection, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(conn)
            .await
            .expect("filling");
    }

    async fn plan(conn: &mut PgConnection, (from, until): (i64, i64)) -> String {
        let mut text = SELECT.to_owned();
        let values = [
            "'00000000-0000-0000-0000-000000000001'".to_owned(),
            "md5('35000')".to_owned(),
            "'celery'".to_owned(),
            from.to_string(),
            until.to_string(),
            i64::MIN.to_string(),
            "0".to_owned(),
            "'00000000-0000-0000-0000-000000000000'".to_owned(),
            "51".to_owned(),
        ];
        for (place, value) in values.iter().enumerate().rev() {
            text = text.replace(&format!("${}", place + 1), value);
        }
        let rows = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN {text}")))
            .fetch_all(conn)
            .await
            .expect("a plan");
        let lines = rows.iter().map(|row| row.get::<String, _>(0));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn a_timeline_is_read_by_its_task_also_while_the_newest_events_are_not_counted() {
        let database = Database::fresh().await;
        let mut conn = database.connect().await;
        let (made, more) = FILL.split_once("INSERT").expect("two parts");
        let insert = |first: &str, last: &str| {
            let insert = more.replace("FIRST", first).replace("LAST", last);
            format!("INSERT{insert}")
        };
        fill(&mut conn, made).await;
        fill(&mut conn, &insert("1", "100000")).await;
        fill(&mut conn, "ANALYZE events").await;
        fill(&mut conn, &insert("100001", "109000")).await;
        let span = (DAY + 105_000 * 100_000, DAY + 105_002 * 100_000);
        let chosen = plan(&mut conn, days(span.0, span.1)).await;
        assert!(chosen.contains("task_id_idx"), "{chosen}");
        let tempted = plan(&mut conn, span).await;
        assert!(
            tempted.contains("pkey"),
            "the test proves nothing: {tempted}"
        );
    }

    #[test]
    fn a_span_is_widened_to_its_days() {
        let day = 86_400_000_000;
        assert_eq!(days(DAY + 1, DAY + 2), (DAY, DAY + day - 1));
        assert_eq!(days(DAY - 1, DAY), (DAY - day, DAY + day - 1));
        assert!(days(i64::MIN, i64::MAX).0 <= i64::MIN + day);
        assert_eq!(days(i64::MIN, i64::MAX).1, i64::MAX - 1);
    }
}
