//! The SQL of one part of a list.
//!
//! A part can be read along the index of its order, so that a page costs a page; conditions that the index does not hold are
//! tested row by row. When those let few rows through, reading along the order may pass millions in vain, and gathering the
//! few by another index is better: [`super::list`] decides, after a look at a bounded number of rows.

use z4j_core::id::ProjectId;
use z4j_core::store::{TaskFilter, TaskPlace};
use z4j_core::task::TaskState;

use super::order::Part;
use super::sql::{Sql, Value};

/// One part of one list, from a position on.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    pub(super) project: ProjectId,
    pub(super) filter: &'a TaskFilter,
    pub(super) part: Part,
    /// Any of these; empty for any at all.
    pub(super) states: Vec<TaskState>,
    /// After this position, which is in this part.
    pub(super) after: Option<TaskPlace>,
}

/// How a walk goes along an index whose run times are rounded; empty for all others.
#[derive(Default)]
struct Rounded {
    /// Behind the columns.
    column: &'static str,
    /// Before the order.
    leading: Option<&'static str>,
    /// Beside the keyset.
    beyond: Option<String>,
}

/// What a condition is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Name,
    Queue,
    Worker,
    Engine,
    States,
    Window,
    Membership,
}

impl<'a> Walk<'a> {
    /// The part from its beginning or from `after` on; `None` when nothing can be in it.
    pub(super) fn new(
        project: ProjectId,
        filter: &'a TaskFilter,
        part: Part,
        after: Option<&TaskPlace>,
    ) -> Option<Self> {
        let states = part.states(filter)?;
        let after = after.filter(|after| after.value.is_some() == part.column().is_some());
        Some(Self {
            project,
            filter,
            part,
            states,
            after: after.cloned(),
        })
    }

    /// Whether a text is looked for. Every task holds the empty one.
    pub(super) fn has_search(&self) -> bool {
        let search = self.filter.search.as_ref();
        search.is_some_and(|text| !text.is_empty())
    }

    /// Whether the index of the walk holds every condition but a search.
    pub(super) fn is_exact(&self) -> bool {
        self.rest(&mut Sql::default()).is_empty()
    }

    /// `SELECT columns` along the index, at most `limit` rows. Conditions that the index does not hold are left out.
    pub(super) fn along(&self, sql: &mut Sql, columns: &str, limit: u32) {
        let ranges = self.ranges(sql);
        let rounded = self.rounded(sql);
        let keyset = self.keyset(sql).into_iter();
        let keyset: Vec<_> = keyset.chain(rounded.beyond).collect();
        let order = self.order_after(rounded.leading, limit);
        let rounded = rounded.column;
        let mut branches = Vec::with_capacity(ranges.len());
        for mut conditions in ranges {
            conditions.extend_from_slice(&keyset);
            let conditions = conditions.join(" AND ");
            branches.push(format!(
                "SELECT {columns}{rounded} FROM tasks WHERE {conditions}{order}"
            ));
        }
        if let [branch] = branches.as_slice() {
            sql.push(branch);
        } else {
            // Each range in its order, so that they are merged and none is read further than needed.
            let united = branches.join(") UNION ALL (");
            sql.push(&format!("SELECT * FROM (({united})) ranges{order}"));
        }
    }

    /// All conditions but those of the owner and of the search.
    pub(super) fn every_condition(&self, sql: &mut Sql) -> Vec<String> {
        let mut conditions = self.conditions(sql, &[]);
        conditions.extend(self.keyset(sql));
        conditions
    }

    /// All conditions at once, and the way to the rows is the database's choice.
    pub(super) fn all(&self, sql: &mut Sql, columns: &str) {
        let mut conditions = vec![self.owner(sql)];
        conditions.extend(self.conditions(sql, &[About::Membership]));
        conditions.extend(self.keyset(sql));
        let names = [&self.filter.name, &self.filter.queue, &self.filter.worker];
        let has_name = names.into_iter().any(Option::is_some);
        if has_name && self.has_window() && self.states.is_empty() {
            // Their indexes have the state before the time: without one, all times of the name are read.
            let states = sql.mark(Value::states(TaskState::ALL.as_slice()));
            conditions.push(format!("state = ANY({states})"));
        }
        conditions.extend(self.membership(has_name).map(str::to_owned));
        sql.push(&format!(
            "SELECT {columns} FROM tasks WHERE {}",
            conditions.join(" AND ")
        ));
    }

    /// What makes a row a member. `is_apart` is for whoever has a better index than that of the members: the database takes theirs
    /// whenever the condition names it, although it reads all members of a state.
    fn membership(&self, is_apart: bool) -> Option<&'static str> {
        match self.part {
            Part::NotEnded if is_apart => None,
            Part::NotRan if is_apart => Some("coalesce(runtime_ms, -1) < 0"),
            part => part.membership(),
        }
    }

    pub(super) fn order(&self, limit: u32) -> String {
        self.order_after(None, limit)
    }

    fn order_after(&self, first: Option<&str>, limit: u32) -> String {
        let direction = self.part.direction();
        // Where the value is missing it is the same in all rows; naming it shows that the index has the order.
        let leading = match self.part {
            Part::NotRan => Some("runtime_ms"),
            part => part.column(),
        };
        let columns = [
            first,
            leading,
            self.part.tie(),
            Some("engine"),
            Some("task_id"),
        ];
        let columns = columns.into_iter().flatten();
        let columns: Vec<_> = columns
            .map(|column| format!("{column} {direction}"))
            .collect();
        format!(" ORDER BY {} LIMIT {limit}", columns.join(", "))
    }

    /// What the index of a worker has in place of the run time. Rows with the same are sorted by the order of the list; that they
    /// follow from it is nothing that the database knows.
    fn rounded(&self, sql: &mut Sql) -> Rounded {
        if self.part != Part::Ran || self.filter.worker.is_none() {
            return Rounded::default();
        }
        let after = self.after.as_ref().and_then(|after| after.value);
        let beyond = after.map(|value| {
            let mark = sql.mark(Value::Int(value));
            format!("task_runtime_rounded(runtime_ms) <= task_runtime_rounded({mark})")
        });
        Rounded {
            column: ", task_runtime_rounded(runtime_ms) AS rounded_ms",
            leading: Some("rounded_ms"),
            beyond,
        }
    }

    /// The conditions that the index of the walk does not hold.
    pub(super) fn rest(&self, sql: &mut Sql) -> Vec<String> {
        let mut held = vec![];
        match self.part {
            Part::Changed { .. } | Part::Ended => held.extend([About::States, About::Window]),
            Part::Received | Part::Ran => held.extend([About::Membership, About::States]),
            Part::NotRan => held.extend([About::Membership, About::States, About::Window]),
            Part::NotEnded => held.extend([About::Membership, About::States, About::Engine]),
            Part::NotReceived => held.push(About::Engine),
        }
        held.extend(self.keys().into_iter().map(|(about, _, _)| about));
        self.conditions(sql, &held)
    }

    /// The conditions of each range of the index.
    fn ranges(&self, sql: &mut Sql) -> Vec<Vec<String>> {
        let mut start = vec![self.owner(sql)];
        for (_, column, value) in self.keys() {
            start.push(format!("{column} = {}", sql.mark(Value::text(value))));
        }
        match self.part {
            Part::Changed { .. } | Part::Ended => {
                start.extend(self.window(sql));
                self.split_by_state(sql, &start, self.has_key())
            }
            Part::Received | Part::Ran => {
                start.extend(self.part.membership().map(str::to_owned));
                self.split_by_state(sql, &start, true)
            }
            Part::NotRan => {
                start.extend(self.part.membership().map(str::to_owned));
                start.extend(self.window(sql));
                self.split_by_state(sql, &start, true)
            }
            Part::NotEnded => {
                start.extend(self.part.membership().map(str::to_owned));
                start.extend(self.engine(sql));
                self.split_by_state(sql, &start, true)
            }
            Part::NotReceived => {
                start.extend(self.engine(sql));
                vec![start]
            }
        }
    }

    /// Indexes by name, queue, worker, receipt, run time and of what has not ended have the state before what they are sorted
    /// by: each state is a range of its own.
    fn split_by_state(&self, sql: &mut Sql, start: &[String], has_state: bool) -> Vec<Vec<String>> {
        let states = match self.states.as_slice() {
            [] if has_state => TaskState::ALL.as_slice(),
            [] => return vec![start.to_vec()],
            states => states,
        };
        let mut ranges = Vec::with_capacity(states.len());
        for state in states {
            let mark = sql.mark(Value::text(state.as_str()));
            let mut range = start.to_vec();
            range.push(format!("state = {mark}"));
            ranges.push(range);
        }
        ranges
    }

    /// Whether a time window is asked for.
    pub(super) const fn has_window(&self) -> bool {
        self.filter.since.is_some() || self.filter.until.is_some()
    }

    /// Whether the index of the walk is led by a name, worker or queue of the filter.
    pub(super) fn has_key(&self) -> bool {
        !self.keys().is_empty()
    }

    /// Whether the index of the walk holds several names, so that how frequent they are says whether another one is better.
    pub(super) fn has_choice(&self) -> bool {
        self.keys().len() > 1
    }

    /// The exact conditions that the index of the walk holds: one that leads it, and those that it passes others over by.
    fn keys(&self) -> Vec<(About, &'static str, &'a str)> {
        let filter = self.filter;
        let of =
            |about, column, value: &'a Option<String>| Some((about, column, value.as_deref()?));
        let name = of(About::Name, "name", &filter.name);
        let queue = of(About::Queue, "queue", &filter.queue);
        let worker = of(About::Worker, "worker", &filter.worker);
        match self.part {
            Part::Changed { .. } | Part::Ended if worker.is_some() => {
                [worker, name, queue].into_iter().flatten().collect()
            }
            Part::Changed { .. } | Part::Ended => [name, queue].into_iter().flatten().collect(),
            // An entry that no other equals costs ingest a leaf of its own: that of the name holds nothing but the run time.
            Part::Ran if worker.is_some() => [worker, name].into_iter().flatten().collect(),
            Part::Ran => name.into_iter().collect(),
            Part::Received | Part::NotRan | Part::NotEnded | Part::NotReceived => Vec::new(),
        }
    }

    pub(super) fn owner(&self, sql: &mut Sql) -> String {
        let project = sql.mark(Value::Uuid(*self.project.as_uuid()));
        format!("project_id = {project}")
    }

    fn engine(&self, sql: &mut Sql) -> Option<String> {
        let engine = self.filter.engine.as_deref()?;
        Some(format!("engine = {}", sql.mark(Value::text(engine))))
    }

    pub(super) fn window(&self, sql: &mut Sql) -> Vec<String> {
        let bounds = [(">=", self.filter.since), ("<", self.filter.until)];
        let mut conditions = Vec::new();
        for (comparison, bound) in bounds {
            if let Some(at) = bound {
                let mark = sql.mark(Value::Int(at.as_micros()));
                conditions.push(format!("state_at {comparison} {mark}"));
            }
        }
        conditions
    }

    fn conditions(&self, sql: &mut Sql, held: &[About]) -> Vec<String> {
        let filter = self.filter;
        let mut conditions = Vec::new();
        let exact = [
            (About::Name, "name", &filter.name),
            (About::Queue, "queue", &filter.queue),
            (About::Worker, "worker", &filter.worker),
        ];
        for (about, column, value) in exact {
            if let Some(value) = value.as_deref().filter(|_| !held.contains(&about)) {
                conditions.push(format!("{column} = {}", sql.mark(Value::text(value))));
            }
        }
        if !held.contains(&About::Engine) {
            conditions.extend(self.engine(sql));
        }
        if !held.contains(&About::States) && !self.states.is_empty() {
            let states = sql.mark(Value::states(&self.states));
            conditions.push(format!("state = ANY({states})"));
        }
        if !held.contains(&About::Window) {
            conditions.extend(self.window(sql));
        }
        if !held.contains(&About::Membership) {
            conditions.extend(self.part.membership().map(str::to_owned));
        }
        conditions
    }

    pub(super) fn keyset(&self, sql: &mut Sql) -> Option<String> {
        let after = self.after.as_ref()?;
        let values = [
            (self.part.column(), after.value),
            (self.part.tie(), after.changed_at),
        ];
        let (mut columns, mut marks) = (Vec::new(), Vec::new());
        for (column, value) in values {
            if let (Some(column), Some(value)) = (column, value) {
                columns.push(column);
                marks.push(sql.mark(Value::Int(value)));
            }
        }
        columns.extend(["engine", "task_id"]);
        marks.push(sql.mark(Value::text(&after.key.engine)));
        marks.push(sql.mark(Value::text(&after.key.task_id)));
        let (columns, marks) = (columns.join(", "), marks.join(", "));
        Some(format!("({columns}) {} ({marks})", self.part.beyond()))
    }
}
