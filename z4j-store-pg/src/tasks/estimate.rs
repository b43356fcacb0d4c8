//! How many rows a list is likely to match, from counters that are kept anyway.

use z4j_core::task::TaskState;

use crate::db::Db;
use crate::fault::Fault;
use crate::{row, text};

use super::step::Step;
use super::walk::Walk;

/// Rows of a time window are counted no further than this.
pub(super) const COUNTED_ROWS_MAX: u32 = 20_000;

/// Entries of an index that cost about as much as one row of the table.
const ENTRIES_PER_ROW: u64 = 50;

/// Counters of the values that a filter names.
pub(super) const COUNT: &str = "SELECT wanted.kind, wanted.name, coalesce(sum(counters.count), 0)::bigint AS total \
    FROM unnest($2::text[], $3::text[]) AS wanted (kind, name) \
    LEFT JOIN counters ON counters.project_id = $1 AND counters.kind = wanted.kind AND counters.name = wanted.name \
    GROUP BY wanted.kind, wanted.name";

/// When the tasks of a project were first and last changed.
pub(super) const SPAN: &str =
    "SELECT min(state_at) AS earliest, max(state_at) AS latest FROM tasks WHERE project_id = $1";

/// What gathering all matches is likely to cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gathering {
    /// Rows of the rarest value that the filter names: no more are read. `u32::MAX` when it names none.
    pub(super) at_most: u32,
    /// Rows that are probably read, if states and times of a name, queue or worker are those of all: its index holds them too.
    pub(super) likely: u32,
}

/// What the counters say of a filter.
#[derive(Debug, Default)]
struct Counts {
    /// The rarest name, queue, worker or engine.
    rarest: Option<u64>,
    name: Option<u64>,
    queue: Option<u64>,
    worker: Option<u64>,
    /// Tasks in a state that the list takes.
    in_states: u64,
    /// All tasks.
    all: u64,
}

impl Counts {
    /// Rows that the best index by name, queue or worker leads to. That of a worker passes over other names and queues by itself,
    /// and that of a name over other queues.
    fn of_best_index(&self) -> u64 {
        let led = |lead: Option<u64>, others: &[Option<u64>]| {
            let lead = lead?;
            let others = others.iter().flatten();
            let rows = others.fold(lead, |rows, other| part(rows, *other, self.all));
            Some(rows.saturating_add(lead / ENTRIES_PER_ROW))
        };
        let by_worker = led(self.worker, &[self.name, self.queue]);
        let by_name = led(self.name, &[self.queue]);
        let by_queue = led(self.queue, &[]);
        let best = least(least(by_worker, by_name), by_queue);
        best.unwrap_or(self.all)
    }
}

/// What gathering costs.
///
/// The database does not combine two of our indexes, because all of them begin with the project.
pub(super) async fn gathering(db: &mut Db<'_>, walk: &Walk<'_>) -> Result<Gathering, Fault> {
    let counts = counts(db, walk).await?;
    let in_states = (!walk.states.is_empty()).then_some(counts.in_states);
    let mut at_most = number(least(counts.rarest, in_states).unwrap_or(u64::MAX));
    let mut rows = counts.of_best_index();
    if let Some(in_states) = in_states {
        rows = part(rows, in_states, counts.all);
    }
    if walk.has_window() && at_most > COUNTED_ROWS_MAX {
        let in_window = rows_in_window(db, walk).await?;
        if in_window <= COUNTED_ROWS_MAX {
            at_most = in_window;
        }
        let (within, span) = window_and_span(db, walk).await?;
        rows = part(rows, within, span);
    }
    Ok(Gathering {
        at_most,
        likely: number(rows).min(at_most),
    })
}

fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// `rows`, as far as `share` of `whole` goes; all of them when there is no whole.
fn part(rows: u64, share: u64, whole: u64) -> u64 {
    let product = u128::from(rows) * u128::from(share.min(whole));
    let part = product.checked_div(u128::from(whole));
    part.map_or(rows, |part| u64::try_from(part).unwrap_or(u64::MAX))
}

async fn counts(db: &mut Db<'_>, walk: &Walk<'_>) -> Result<Counts, Fault> {
    let filter = walk.filter;
    let exact = [
        ("name", &filter.name),
        ("queue", &filter.queue),
        ("worker", &filter.worker),
        ("engine", &filter.engine),
    ];
    let (mut kinds, mut names) = (Vec::new(), Vec::new());
    for (kind, value) in exact {
        if let Some(value) = value {
            kinds.push(kind);
            names.push(text::put(value).into_owned());
        }
    }
    for state in TaskState::ALL {
        kinds.push("state");
        names.push(state.as_str().to_owned());
    }
    let count = db
        .sql(COUNT)
        .bind(*walk.project.as_uuid())
        .bind(kinds)
        .bind(names);
    let mut counts = Counts::default();
    for row in count.fetch_all(db.conn()).await? {
        let total = u64::try_from(row::get::<i64>(&row, "total")?).unwrap_or(0);
        let name = row::get::<&str>(&row, "name")?;
        match row::get::<&str>(&row, "kind")? {
            "state" => {
                counts.all += total;
                if walk.states.iter().any(|state| state.as_str() == name) {
                    counts.in_states += total;
                }
            }
            kind => {
                counts.rarest = least(counts.rarest, Some(total));
                match kind {
                    "name" => counts.name = Some(total),
                    "queue" => counts.queue = Some(total),
                    "worker" => counts.worker = Some(total),
                    _ => {}
                }
            }
        }
    }
    Ok(counts)
}

/// How long the filter's time window is, as far as tasks were changed in it, and the time in which tasks were changed at all.
async fn window_and_span(db: &mut Db<'_>, walk: &Walk<'_>) -> Result<(u64, u64), Fault> {
    let span = db.sql(SPAN).bind(*walk.project.as_uuid());
    let row = span.fetch_one(db.conn()).await?;
    let earliest = row::get::<Option<i64>>(&row, "earliest")?.unwrap_or(0);
    let latest = row::get::<Option<i64>>(&row, "latest")?.unwrap_or(0);
    let filter = walk.filter;
    let since = filter
        .since
        .map_or(earliest, |at| at.as_micros().max(earliest));
    let until = filter.until.map_or(latest, |at| at.as_micros().min(latest));
    let length = |from: i64, to: i64| u64::try_from(to.saturating_sub(from)).unwrap_or(0);
    Ok((length(since, until), length(earliest, latest)))
}

async fn rows_in_window(db: &mut Db<'_>, walk: &Walk<'_>) -> Result<u32, Fault> {
    let rows = Step::Counted.sql(walk, 1).fetch(db).await?;
    match rows.first() {
        Some(row) => {
            let total = row::get::<i64>(row, "total")?;
            Ok(number(u64::try_from(total).unwrap_or(0)))
        }
        None => Ok(0),
    }
}

fn number(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_some_rows_is_as_large_as_the_share_of_the_whole() {
        assert_eq!(part(1_000, 5, 10), 500);
        assert_eq!(part(1_000, 20, 10), 1_000, "a share is no more than all");
        assert_eq!(part(1_000, 0, 0), 1_000);
        assert_eq!(part(u64::MAX, u64::MAX, u64::MAX), u64::MAX);
    }
}
