//! Pages of commands, latest first.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use z4j_core::id::{CommandId, ProjectId};
use z4j_core::store::{CommandFilter, CommandRow, Page, PageRequest};

use crate::fault::Fault;
use crate::{cursor, row};

use super::record;

/// `issued_at` and id of the last row.
type Position = (i64, CommandId);

pub(super) fn page(
    db: &Connection,
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
    let Some(key) = row::project_key(db, project)? else {
        return Ok(Page {
            items: Vec::new(),
            next: None,
        });
    };
    let (sql, values) = query(key, filter, after, i64::from(page.limit) + 1);
    let mut select = db.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(values), record::read)?;
    let mut items = rows
        .map(|stored| stored.map(|stored| stored.row))
        .collect::<Result<Vec<_>, _>>()?;
    let has_more = items.len() > page.limit as usize;
    items.truncate(page.limit as usize);
    let next = match items.last() {
        Some(last) if has_more => Some(cursor::seal(&tag, (last.issued_at.as_micros(), last.id))?),
        _ => None,
    };
    Ok(Page { items, next })
}

fn query(
    project: i64,
    filter: &CommandFilter,
    after: Option<Position>,
    limit: i64,
) -> (String, Vec<Value>) {
    let mut sql = format!("{} WHERE commands.project = ?", record::SELECT);
    let mut values = vec![Value::from(project)];
    let exact = [
        ("state", filter.state.map(|state| state.as_str().to_owned())),
        ("action", filter.action.clone()),
        ("target_id", filter.target_id.clone()),
    ];
    for (column, value) in exact {
        if let Some(value) = value {
            sql.push_str(&format!(" AND {column} = ?"));
            values.push(Value::from(value));
        }
    }
    if let Some((at, id)) = after {
        sql.push_str(" AND (issued_at, commands.id) < (?, ?)");
        values.push(Value::from(at));
        values.push(Value::from(id.as_bytes().to_vec()));
    }
    sql.push_str(" ORDER BY issued_at DESC, commands.id DESC LIMIT ?");
    values.push(Value::from(limit));
    (sql, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use z4j_core::command::CommandState;

    #[test]
    fn every_command_list_walks_an_index_in_order() {
        let mut db = Connection::open_in_memory().unwrap();
        crate::migrate::run(&mut db).unwrap();
        let none = CommandFilter::default();
        let filters = [
            none.clone(),
            CommandFilter {
                state: Some(CommandState::Pending),
                ..none.clone()
            },
            CommandFilter {
                action: Some("retry_task".to_owned()),
                ..none.clone()
            },
            CommandFilter {
                target_id: Some("celery:t".to_owned()),
                ..none
            },
        ];
        for filter in filters {
            for after in [None, Some((1, CommandId::from_u128(1)))] {
                let (sql, values) = query(1, &filter, after, 50);
                let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                let lines = explain
                    .query_map(params_from_iter(values), |row| {
                        row.get::<_, String>("detail")
                    })
                    .unwrap();
                let plan = lines.collect::<Result<Vec<_>, _>>().unwrap().join("\n");
                assert!(
                    !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"),
                    "{filter:?}: {plan}"
                );
            }
        }
    }
}
