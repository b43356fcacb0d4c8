//! Every statement that a list or a search may run.

use super::estimate::COUNTED_ROWS_MAX;
use super::search::LOOKUP_ROWS_MAX;
use super::sql::{Sql, Value};
use super::summary::COLUMNS;
use super::text;
use super::walk::Walk;

/// A statement of a list. The plan test explains each of them for all lists that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Along an index that holds every condition.
    Exact,
    /// All conditions and the order at once; the way is the database's choice.
    Free,
    /// The first rows along an index, and those of them that match.
    Window {
        /// How many rows are looked at.
        rows: u32,
    },
    /// All rows that match, then sorted: for few.
    Gathered,
    /// Rows of the filter's time window, counted no further than matters.
    Counted,
    /// Rows along an index, with the record of those that match all but the search.
    Records,
}

impl Step {
    #[cfg(test)]
    pub(super) const ALL: [Self; 6] = [
        Self::Exact,
        Self::Free,
        Self::Window { rows: 2_000 },
        Self::Gathered,
        Self::Counted,
        Self::Records,
    ];

    /// The statement for a part of a list. `rows` is how many are wanted; of [`Self::Window`] how many of those that match.
    pub(super) fn sql(self, walk: &Walk<'_>, rows: u32) -> Sql {
        let mut sql = Sql::default();
        match self {
            Self::Exact => walk.along(&mut sql, COLUMNS, rows),
            Self::Free => {
                walk.all(&mut sql, COLUMNS);
                sql.push(&walk.order(rows));
            }
            Self::Window { rows: window } => self::window(&mut sql, walk, window, rows),
            Self::Gathered => gathered(&mut sql, walk, rows),
            Self::Counted => counted(&mut sql, walk),
            Self::Records => records(&mut sql, walk, rows),
        }
        sql
    }
}

fn window(sql: &mut Sql, walk: &Walk<'_>, rows: u32, wanted: u32) {
    sql.push("WITH seen AS MATERIALIZED (");
    walk.along(sql, COLUMNS, rows);
    let mut rest = walk.rest(sql);
    if rest.is_empty() {
        rest.push("true".to_owned());
    }
    let rest = rest.join(" AND ");
    let order = walk.order(wanted);
    sql.push(&format!(
        ") SELECT total.seen, matching.* FROM (SELECT count(*) AS seen FROM seen) total \
         LEFT JOIN (SELECT {COLUMNS} FROM seen WHERE {rest}{order}) matching ON true{order}"
    ));
}

fn gathered(sql: &mut Sql, walk: &Walk<'_>, wanted: u32) {
    sql.push("WITH few AS MATERIALIZED (");
    walk.all(sql, COLUMNS);
    let order = walk.order(wanted);
    sql.push(&format!(") SELECT {COLUMNS} FROM few{order}"));
}

fn counted(sql: &mut Sql, walk: &Walk<'_>) {
    let mut conditions = vec![walk.owner(sql)];
    conditions.extend(walk.window(sql));
    let conditions = conditions.join(" AND ");
    let limit = COUNTED_ROWS_MAX + 1;
    sql.push(&format!(
        "SELECT count(*) AS total FROM (SELECT FROM tasks WHERE {conditions} LIMIT {limit}) counted"
    ));
}

fn records(sql: &mut Sql, walk: &Walk<'_>, rows: u32) {
    let rest = walk.rest(sql);
    let record = if rest.is_empty() {
        "record".to_owned()
    } else {
        format!("CASE WHEN {} THEN record END AS record", rest.join(" AND "))
    };
    walk.along(sql, &format!("{COLUMNS}, {record}"), rows);
}

/// Tasks whose kept text holds what is looked for, in order, unless they are too many. The index is asked for `parts` of it.
pub(super) fn lookup(walk: &Walk<'_>, parts: &[String], wanted: u32) -> Sql {
    let mut sql = Sql::default();
    let text = walk.filter.search.as_deref().unwrap_or_default();
    let owner = walk.owner(&mut sql);
    let whole = sql.mark(Value::Text(text::kept(text)));
    let mut asked = String::new();
    for part in parts {
        let pattern = sql.mark(Value::Text(format!("%{part}%")));
        asked.push_str(&format!(" AND text LIKE {pattern}"));
    }
    let of = |table: &str, asked: &str| {
        format!(
            "(SELECT engine, task_id FROM {table} \
             WHERE {owner}{asked} AND position({whole} IN text) > 0 LIMIT {LOOKUP_ROWS_MAX})"
        )
    };
    let (old, new) = (of("task_texts", &asked), of("task_texts_new", ""));
    let mut conditions = vec![
        owner,
        "tasks.engine = held.engine".to_owned(),
        "tasks.task_id = held.task_id".to_owned(),
    ];
    conditions.extend(walk.every_condition(&mut sql));
    let conditions = conditions.join(" AND ");
    let order = walk.order(wanted);
    // OFFSET keeps the database from reading all tasks to join them.
    sql.push(&format!(
        "WITH held AS MATERIALIZED ({old} UNION {new}) \
         SELECT total.held, hits.* FROM (SELECT count(*) AS held FROM held) total \
         LEFT JOIN (SELECT task.* FROM held CROSS JOIN LATERAL \
         (SELECT {COLUMNS}, record FROM tasks WHERE {conditions} OFFSET 0) task \
         WHERE (SELECT count(*) FROM held) < {LOOKUP_ROWS_MAX}{order}) hits ON true{order}"
    ));
    sql
}
