//! The SQL of one walk over a task list: which index, from where, in which direction.

use rusqlite::types::Value;
use z4j_core::store::{TaskFilter, TaskPlace, TaskSort};
use z4j_core::task::TaskState;
use z4j_core::time::Timestamp;

use super::search;
use super::summary::COLUMNS;

/// The column that a list is sorted by.
pub(super) struct Order {
    pub(super) column: &'static str,
    index: &'static str,
    pub(super) is_descending: bool,
    pub(super) may_be_null: bool,
    /// What decides between equal values of the column, before engine and task id.
    tie: Option<&'static str>,
}

impl Order {
    pub(super) const fn of(sort: TaskSort) -> Self {
        let (column, index, may_be_null) = match sort {
            TaskSort::UpdatedDesc | TaskSort::UpdatedAsc => ("state_at", "tasks_by_change", false),
            TaskSort::ReceivedDesc => ("received_at", "tasks_by_receipt", true),
            TaskSort::FinishedDesc => ("finished_at", "tasks_by_finish", true),
            TaskSort::RuntimeDesc => ("runtime_ms", "tasks_by_runtime", true),
        };
        Self {
            column,
            index,
            is_descending: sort.is_descending(),
            may_be_null,
            tie: match sort {
                TaskSort::RuntimeDesc => Some("state_at"),
                _ => None,
            },
        }
    }

    const fn direction(&self) -> &'static str {
        if self.is_descending { "DESC" } else { "ASC" }
    }

    const fn beyond(&self) -> &'static str {
        if self.is_descending { "<" } else { ">" }
    }
}

/// A statement and its values.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

/// One walk. `only` restricts to one state, so that several can be walked side by side, each along its index.
pub(super) struct Walk<'a> {
    pub(super) project: i64,
    pub(super) filter: &'a TaskFilter,
    pub(super) only: Option<TaskState>,
    pub(super) order: &'a Order,
    /// Rows with no value in the sorted column, which come last.
    pub(super) nulls: bool,
    pub(super) after: Option<&'a TaskPlace>,
    pub(super) limit: i64,
}

impl Walk<'_> {
    pub(super) fn build(&self) -> Query {
        let mut query = Builder::default();
        query.and("project = ?", [Value::from(self.project)]);
        self.add_filter(&mut query);
        self.add_position(&mut query);
        let (column, direction) = (self.order.column, self.order.direction());
        let leading = (!self.nulls).then_some(column);
        let leading: String = leading
            .into_iter()
            .chain(self.order.tie)
            .map(|column| format!("{column} {direction}, "))
            .collect();
        let index = self.index();
        let conditions = query.conditions.join(" AND ");
        query.values.push(Value::from(self.limit));
        Query {
            sql: format!(
                "SELECT {COLUMNS} FROM tasks INDEXED BY {index} WHERE {conditions} \
                 ORDER BY {leading}engine {direction}, task_id {direction} LIMIT ?"
            ),
            values: query.values,
        }
    }

    /// The index that has both the filter and the order, else the one that has the order.
    fn index(&self) -> &'static str {
        if self.order.column != "state_at" {
            self.order.index
        } else if self.filter.name.is_some() {
            "tasks_by_name"
        } else if self.filter.worker.is_some() {
            "tasks_by_worker"
        } else if self.only.is_some() {
            "tasks_by_state"
        } else if self.filter.queue.is_some() {
            "tasks_by_queue"
        } else {
            self.order.index
        }
    }

    fn add_filter(&self, query: &mut Builder) {
        let filter = self.filter;
        if let Some(state) = self.only {
            query.and("state = ?", [text(state.as_str())]);
        } else if !filter.states.is_empty() {
            let marks = vec!["?"; filter.states.len()].join(", ");
            query.and(
                &format!("state IN ({marks})"),
                filter.states.iter().map(|state| text(state.as_str())),
            );
        }
        let exact = [
            ("name = ?", &filter.name),
            ("queue = ?", &filter.queue),
            ("worker = ?", &filter.worker),
            ("engine = ?", &filter.engine),
        ];
        for (condition, value) in exact {
            query.and_some(condition, value.as_deref().map(text));
        }
        query.and_some("state_at >= ?", filter.since.map(time));
        query.and_some("state_at < ?", filter.until.map(time));
        if let Some(wanted) = &filter.search {
            let pattern = text(&search::pattern(wanted));
            query.and(
                "(task_id LIKE ? ESCAPE '\\' OR name LIKE ? ESCAPE '\\' OR arguments_contain(record, ?))",
                [pattern.clone(), pattern, text(wanted)],
            );
        }
    }

    fn add_position(&self, query: &mut Builder) {
        let (column, beyond) = (self.order.column, self.order.beyond());
        if self.nulls {
            query.and(&format!("{column} IS NULL"), []);
        } else if self.order.may_be_null {
            query.and(&format!("{column} IS NOT NULL"), []);
        }
        let Some(after) = self
            .after
            .filter(|after| after.value.is_none() == self.nulls)
        else {
            return;
        };
        let values = [
            (Some(column).filter(|_| !self.nulls), after.value),
            (self.order.tie, after.changed_at),
        ];
        let known = values
            .into_iter()
            .filter_map(|(column, value)| column.zip(value));
        let (mut columns, mut values): (Vec<_>, Vec<_>) = known
            .map(|(column, value)| (column, Value::from(value)))
            .unzip();
        columns.extend(["engine", "task_id"]);
        values.extend([text(&after.key.engine), text(&after.key.task_id)]);
        let marks = vec!["?"; columns.len()].join(", ");
        query.and(
            &format!("({}) {beyond} ({marks})", columns.join(", ")),
            values,
        );
    }
}

#[derive(Default)]
struct Builder {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Builder {
    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.conditions.push(condition.to_owned());
        self.values.extend(values);
    }

    fn and_some(&mut self, condition: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.and(condition, [value]);
        }
    }
}

fn text(text: &str) -> Value {
    Value::from(text.to_owned())
}

fn time(at: Timestamp) -> Value {
    Value::from(at.as_micros())
}
