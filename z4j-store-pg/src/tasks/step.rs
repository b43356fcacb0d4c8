//! Every statement that a list or a search may run.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::day::{Day, start_micros};

use super::estimate::COUNTED_ROWS_MAX;
use super::needle::{Asked, Needle};
use super::search::LOOKUP_ROWS_MAX;
use super::sql::{Sql, Value};
use super::summary::COLUMNS;
use super::walk::Walk;

/// Places in the history of a project that are looked at, to see how frequent parts of a text are. A prime: numbers that count
/// up are round at tenths of it, and look more frequent than they are.
const PLACES: u32 = 23;
/// Tasks that are looked at in each place.
const PLACE_ROWS: u32 = 5;

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

/// Keys of tasks whose words have the grams, in the order of the text, of `days` or of all. At most [`LOOKUP_ROWS_MAX`] of each
/// place: where it is all of them, there may be more.
pub(super) fn candidates(walk: &Walk<'_>, needle: &Needle, days: Option<&Range<Day>>) -> Sql {
    let mut sql = Sql::default();
    let owner = walk.owner(&mut sql);
    let in_days = within(&mut sql, "at", days);
    let (operator, codes) = match needle.asked() {
        Asked::All(codes) => ("@>", codes),
        Asked::Any(codes) => ("&&", codes),
    };
    let codes = sql.mark(Value::Codes(codes));
    // Rows are read anyway: those that only have the grams, and not in this order, are not worth a look at their task.
    let line = sql.mark(Value::Text(needle.line().to_owned()));
    let of = |table: &str, asked: &str| {
        format!(
            "(SELECT engine, task_id, '{table}' AS place FROM {table} \
             WHERE {owner}{in_days}{asked} AND position({line} IN ' ' || words || ' ') > 0 LIMIT {LOOKUP_ROWS_MAX})"
        )
    };
    let old = of(
        "task_texts",
        &format!(" AND task_text_grams(words) {operator} {codes}"),
    );
    let new = of("task_texts_new", "");
    sql.push(&format!("{old} UNION ALL {new}"));
    sql
}

/// The first of the tasks with these keys, with their records; `days` leaves out those of other days.
pub(super) fn among(
    walk: &Walk<'_>,
    keys: &BTreeSet<(String, String)>,
    days: Option<&Range<Day>>,
    wanted: u32,
) -> Sql {
    let mut sql = Sql::default();
    let engines = sql.mark(Value::texts(keys.iter().map(|(engine, _)| engine.as_str())));
    let task_ids = sql.mark(Value::texts(keys.iter().map(|(_, id)| id.as_str())));
    let mut conditions = vec![
        walk.owner(&mut sql),
        "tasks.engine = held.engine".to_owned(),
        "tasks.task_id = held.task_id".to_owned(),
    ];
    conditions.extend(walk.every_condition(&mut sql));
    let conditions = conditions.join(" AND ");
    let in_days = within(&mut sql, "state_at", days);
    let order = walk.order(wanted);
    // OFFSET keeps the database from reading all tasks to join them.
    sql.push(&format!(
        "SELECT task.* FROM unnest({engines}, {task_ids}) AS held (engine, task_id) CROSS JOIN LATERAL \
         (SELECT {COLUMNS}, record FROM tasks WHERE {conditions}{in_days} OFFSET 0) task{order}"
    ));
    sql
}

fn within(sql: &mut Sql, column: &str, days: Option<&Range<Day>>) -> String {
    let Some(days) = days else {
        return String::new();
    };
    let from = sql.mark(Value::Int(start_micros(days.start)));
    let until = sql.mark(Value::Int(start_micros(days.end)));
    format!(" AND {column} >= {from} AND {column} < {until}")
}

/// When the tasks of a project were first and last changed, and some tasks from all over that time.
pub(super) fn sample(walk: &Walk<'_>) -> Sql {
    let mut sql = Sql::default();
    let owner = walk.owner(&mut sql);
    sql.push(&format!(
        "WITH span AS MATERIALIZED (SELECT min(state_at) AS earliest, max(state_at) AS latest FROM tasks WHERE {owner}) \
         SELECT span.earliest, span.latest, sampled.task_id, sampled.record FROM span LEFT JOIN LATERAL ( \
            SELECT task.* FROM generate_series(0, {PLACES} - 1) AS place CROSS JOIN LATERAL ( \
                SELECT task_id, record FROM tasks \
                WHERE {owner} AND state_at >= earliest + (latest - earliest) / {PLACES} * place \
                ORDER BY state_at LIMIT {PLACE_ROWS}) task \
         ) sampled ON true"
    ));
    sql
}
