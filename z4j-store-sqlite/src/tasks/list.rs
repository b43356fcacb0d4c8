//! Pages of tasks.

use std::cmp::Ordering;

use rusqlite::{Connection, params_from_iter};
use z4j_core::id::ProjectId;
use z4j_core::store::cursor::CursorError;
use z4j_core::store::{Page, PageRequest, TaskFilter, TaskSort, TaskSummary};
use z4j_core::task::TaskState;

use crate::fault::Fault;
use crate::{cursor, row};

use super::query::{Order, Walk};
use super::summary;

/// One page, by walking the index of its order.
pub(super) fn page(
    db: &Connection,
    project: ProjectId,
    filter: &TaskFilter,
    sort: TaskSort,
    page: &PageRequest,
) -> Result<Page<TaskSummary>, Fault> {
    let tag = tag(project, filter, sort)?;
    let after = sort.open(&tag, page.after.as_ref())?;
    let Some(project) = row::project_key(db, project)? else {
        return Ok(Page {
            items: Vec::new(),
            next: None,
        });
    };
    let order = Order::of(sort);
    let limit = i64::from(page.limit) + 1;
    let mut walk = Walk {
        project,
        filter,
        only: None,
        order: &order,
        nulls: false,
        after: after.as_ref(),
        limit,
    };
    let is_past_values = after.as_ref().is_some_and(|after| after.value.is_none());
    let mut items = if is_past_values {
        Vec::new()
    } else {
        with_values(db, &mut walk)?
    };
    let missing = limit - i64::try_from(items.len()).unwrap_or(limit);
    if order.may_be_null && missing > 0 {
        walk.nulls = true;
        walk.only = None;
        walk.limit = missing;
        items.extend(run(db, &walk)?);
    }
    let wanted = page.limit as usize;
    let has_more = items.len() > wanted;
    items.truncate(wanted);
    let next = match items.last() {
        Some(last) if has_more => Some(cursor::seal(&tag, sort.place(last))?),
        _ => None,
    };
    Ok(Page { items, next })
}

/// Several states have one index range each: walked side by side, then merged.
fn with_values(db: &Connection, walk: &mut Walk<'_>) -> Result<Vec<TaskSummary>, Fault> {
    let mut states: Vec<TaskState> = walk.filter.states.clone();
    states.sort_unstable();
    states.dedup();
    if states.is_empty() || walk.order.column != "state_at" {
        return run(db, walk);
    }
    let mut merged = Vec::new();
    for state in states {
        walk.only = Some(state);
        merged.extend(run(db, walk)?);
    }
    let is_descending = walk.order.is_descending;
    merged.sort_by(|left, right| {
        let ordering = by_change(left, right);
        if is_descending {
            ordering.reverse()
        } else {
            ordering
        }
    });
    merged.truncate(usize::try_from(walk.limit).unwrap_or(usize::MAX));
    Ok(merged)
}

fn by_change(left: &TaskSummary, right: &TaskSummary) -> Ordering {
    (left.state_at, &left.key).cmp(&(right.state_at, &right.key))
}

fn run(db: &Connection, walk: &Walk<'_>) -> Result<Vec<TaskSummary>, Fault> {
    let query = walk.build();
    let mut select = db.prepare_cached(&query.sql)?;
    let rows = select.query_map(params_from_iter(query.values), summary::read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn tag(project: ProjectId, filter: &TaskFilter, sort: TaskSort) -> Result<String, CursorError> {
    let exact = (
        &filter.name,
        &filter.queue,
        &filter.worker,
        &filter.engine,
        &filter.search,
    );
    cursor::query_tag(&(
        "tasks",
        project,
        &filter.states,
        exact,
        filter.since,
        filter.until,
        Order::of(sort).column,
        sort as u8,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use z4j_core::id::TaskKey;
    use z4j_core::store::TaskPlace;
    use z4j_core::time::Timestamp;

    fn database() -> Connection {
        let mut db = Connection::open_in_memory().unwrap();
        crate::migrate::run(&mut db).unwrap();
        super::super::install(&db).unwrap();
        db
    }

    fn plan(db: &Connection, walk: &Walk<'_>) -> String {
        let query = walk.build();
        let mut explain = db
            .prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql))
            .unwrap();
        let lines = explain
            .query_map(params_from_iter(query.values), |row| {
                row.get::<_, String>("detail")
            })
            .unwrap();
        lines.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
    }

    fn position(sort: TaskSort) -> TaskPlace {
        TaskPlace {
            value: Some(1),
            changed_at: (sort == TaskSort::RuntimeDesc).then_some(1),
            key: TaskKey::new("celery", "t"),
        }
    }

    fn filters() -> Vec<TaskFilter> {
        let some = |text: &str| Some(text.to_owned());
        let none = TaskFilter::default();
        vec![
            none.clone(),
            TaskFilter {
                name: some("n"),
                ..none.clone()
            },
            TaskFilter {
                queue: some("q"),
                ..none.clone()
            },
            TaskFilter {
                worker: some("w"),
                ..none.clone()
            },
            TaskFilter {
                engine: some("e"),
                ..none.clone()
            },
            TaskFilter {
                search: some("s"),
                ..none.clone()
            },
            TaskFilter {
                since: Some(Timestamp::EPOCH),
                until: Some(Timestamp::LATEST),
                ..none
            },
        ]
    }

    #[test]
    fn every_list_walks_an_index_in_order_and_sorts_ties_only() {
        let db = database();
        for sort in TaskSort::ALL {
            let order = Order::of(sort);
            let position = position(sort);
            for filter in filters() {
                for (only, nulls) in [
                    (None, false),
                    (Some(TaskState::Failure), false),
                    // Few have no receipt or end, and those are sorted.
                    (None, sort == TaskSort::RuntimeDesc),
                ] {
                    for after in [None, Some(&position)] {
                        let after = after.cloned().map(|place| TaskPlace {
                            value: place.value.filter(|_| !nulls),
                            ..place
                        });
                        let walk = Walk {
                            project: 1,
                            filter: &filter,
                            only,
                            order: &order,
                            nulls,
                            after: after.as_ref(),
                            limit: 50,
                        };
                        let plan = plan(&db, &walk);
                        assert!(
                            plan.contains("SEARCH tasks USING INDEX"),
                            "{sort:?} {filter:?}: {plan}"
                        );
                        assert!(!plan.contains("SCAN"), "{sort:?} {filter:?}: {plan}");
                        let sorts_all = plan.contains("TEMP B-TREE") && !plan.contains("FOR LAST ");
                        assert!(!sorts_all, "{sort:?} {filter:?}: {plan}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_page_after_a_position_starts_there_in_the_index() {
        let db = database();
        let filter = TaskFilter::default();
        for (sort, nulls, start) in [
            (TaskSort::UpdatedDesc, false, "project=? AND state_at<?"),
            (TaskSort::RuntimeDesc, false, "(runtime_ms,state_at)<(?,?)"),
            (
                TaskSort::RuntimeDesc,
                true,
                "project=? AND runtime_ms=? AND state_at<?",
            ),
        ] {
            let order = Order::of(sort);
            let mut position = position(sort);
            if nulls {
                position.value = None;
            }
            let walk = Walk {
                project: 1,
                filter: &filter,
                only: None,
                order: &order,
                nulls,
                after: Some(&position),
                limit: 50,
            };
            let plan = plan(&db, &walk);
            assert!(plan.contains(start), "{plan}");
        }
    }
}
