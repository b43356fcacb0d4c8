//! Pages of commands, latest first.

use sqlx::AssertSqlSafe;
use z4j_core::id::{CommandId, ProjectId};
use z4j_core::store::{CommandFilter, CommandRow, Page, PageRequest};

use crate::cursor;
use crate::db::Db;
use crate::fault::Fault;
use crate::text;

use super::record;

/// `issued_at` and id of the last row.
type Position = (i64, CommandId);

pub(super) async fn page(
    db: &mut Db<'_>,
    project: ProjectId,
    filter: &CommandFilter,
    page: &PageRequest,
) -> Result<Page<CommandRow>, Fault> {
    let tag = cursor::query_tag(&(
        "commands",
        project,
        filter.state,
        &filter.action,
        &filter.target_id,
    ))?;
    let after: Option<Position> = cursor::open(&tag, page.after.as_ref())?;
    let exact = exact(filter);
    let mut query = db
        .sql(AssertSqlSafe(sql(&exact, after.is_some())))
        .bind(*project.as_uuid())
        .bind(i64::from(page.limit) + 1);
    for (_, value) in exact {
        query = query.bind(value);
    }
    if let Some((at, id)) = after {
        query = query.bind(at).bind(*id.as_uuid());
    }
    let rows = query.fetch_all(db.conn()).await?;
    let mut items = rows
        .iter()
        .map(record::read_row)
        .collect::<Result<Vec<_>, _>>()?;
    let has_more = items.len() > page.limit as usize;
    items.truncate(page.limit as usize);
    let next = match items.last() {
        Some(last) if has_more => Some(cursor::seal(&tag, (last.issued_at.as_micros(), last.id))?),
        _ => None,
    };
    Ok(Page { items, next })
}

/// The columns that must have one value.
fn exact(filter: &CommandFilter) -> Vec<(&'static str, String)> {
    let columns = [
        ("state", filter.state.map(|state| state.as_str().to_owned())),
        ("action", filter.action.clone()),
        ("target_id", filter.target_id.clone()),
    ];
    columns
        .into_iter()
        .filter_map(|(column, value)| Some((column, text::put(&value?).into_owned())))
        .collect()
}

fn sql(exact: &[(&'static str, String)], has_position: bool) -> String {
    let mut sql = format!("{} WHERE project_id = $1", record::SELECT);
    let mut number = 2;
    for (column, _) in exact {
        number += 1;
        sql.push_str(&format!(" AND {column} = ${number}"));
    }
    if has_position {
        let (at, id) = (number + 1, number + 2);
        sql.push_str(&format!(" AND (issued_at, id) < (${at}, ${id})"));
    }
    sql.push_str(" ORDER BY issued_at DESC, id DESC LIMIT $2");
    sql
}
