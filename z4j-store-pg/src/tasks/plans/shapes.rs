//! Tables of some size, and every statement that is explained on them.

use sqlx::{AssertSqlSafe, PgConnection};
use z4j_core::id::TaskKey;
use z4j_core::store::{TaskFilter, TaskPlace, TaskSort};
use z4j_core::task::TaskState;
use z4j_core::time::Timestamp;
use z4j_testkit::postgres::Database;

use super::super::needle::Needle;
use super::super::order;
use super::super::sql::{Sql, Value};
use super::super::step::{self, Step};
use super::super::walk::Walk;
use super::super::{detail, estimate, links, mover, numbers, receipt};
use super::{PROJECT, Rule};

/// 200,000 tasks of two projects, their texts, and counters.
const FILL: &str = r"
INSERT INTO projects (id, slug, name, created_at)
    SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'p' || n, 'p', 0 FROM generate_series(1, 2) n;
INSERT INTO tasks (project_id, engine, task_id, state, state_at, name, queue, worker, retry_count, sent_at, received_at,
    started_at, finished_at, runtime_ms, root_task_id, created_at, first_at, sent_from, sent_until, record)
SELECT ('00000000-0000-0000-0000-00000000000' || 1 + (n % 20 = 7)::int)::uuid, CASE WHEN n % 10 = 3 THEN 'rq' ELSE 'celery' END,
    md5(n::text), state, 1795000000000000 + n * 1000000, 'app.n' || floor(20 * power(n % 997 / 997.0, 3)), 'q' || n % 8, 'w' || n % 40, 0,
    0, CASE WHEN n % 100 > 0 THEN 1795000000000000 + n * 1000000 - 5000 END, 0,
    CASE WHEN state IN ('success', 'failure') THEN 1795000000000000 + n * 1000000 END,
    CASE WHEN state IN ('success', 'failure') THEN n % 5000 END, CASE WHEN n % 3 = 0 THEN 'root' || n / 30 END, 0, n, 0, 0, '\x01'
FROM (SELECT n, (ARRAY['failure', 'failure', 'failure', 'failure', 'started'])[CASE WHEN n % 100 < 95 THEN NULL ELSE n % 100 - 94 END] AS rare
      FROM generate_series(1, 200000::bigint) n) numbers, LATERAL (SELECT coalesce(rare, 'success') AS state) states;
INSERT INTO task_texts (project_id, at, engine, task_id, words)
    SELECT project_id, state_at, engine, task_id, 'z100 ' || task_id || ' app' FROM tasks;
INSERT INTO task_texts_new (project_id, at, engine, task_id, words)
    SELECT project_id, state_at, engine, task_id, 'z100 ' || task_id || ' app' FROM tasks LIMIT 40000;
INSERT INTO counters (project_id, kind, name, shard, count)
    SELECT project_id, 'minute', lpad(n::text, 12, '0') || ':success', n % 4, 1
    FROM generate_series(1, 20000) n, (SELECT id AS project_id FROM projects) p;
INSERT INTO counters (project_id, kind, name, shard, count)
    SELECT id, kind, kind || n, 0, n FROM projects, unnest(ARRAY['name', 'queue', 'worker', 'state']) kind, generate_series(1, 50) n;
VACUUM ANALYZE tasks; VACUUM ANALYZE task_texts; VACUUM ANALYZE task_texts_new; VACUUM ANALYZE counters;
";

pub(super) async fn filled(database: &Database) -> PgConnection {
    let mut conn = database.connect().await;
    for statement in FILL.split(';').filter(|part| !part.trim().is_empty()) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut conn)
            .await
            .expect("filling the tables");
    }
    conn
}

/// Every way to fill a filter's members, two by two.
fn filters() -> Vec<TaskFilter> {
    let some = |text: &str| Some(text.to_owned());
    type Set = fn(&mut TaskFilter);
    let sets: [Set; 9] = [
        |filter| filter.states = vec![TaskState::Failure],
        |filter| filter.states = vec![TaskState::Success, TaskState::Started],
        |filter| filter.name = Some("app.n3".to_owned()),
        |filter| filter.queue = Some("q1".to_owned()),
        |filter| filter.worker = Some("w1".to_owned()),
        |filter| filter.engine = Some("rq".to_owned()),
        |filter| filter.since = Some(Timestamp::from_micros(1_795_199_000_000_000)),
        |filter| filter.until = Some(Timestamp::from_micros(1_795_001_000_000_000)),
        |filter| filter.search = Some("abcdef01".to_owned()),
    ];
    let mut filters = vec![TaskFilter::default()];
    for (index, first) in sets.iter().enumerate() {
        for second in sets.get(index..).unwrap_or_default() {
            let mut filter = TaskFilter::default();
            first(&mut filter);
            second(&mut filter);
            filters.push(filter);
        }
    }
    let three = TaskFilter {
        name: some("app.n3"),
        queue: some("q1"),
        worker: some("w1"),
        ..TaskFilter::default()
    };
    filters.push(TaskFilter {
        states: vec![TaskState::Failure],
        ..three.clone()
    });
    filters.push(TaskFilter {
        since: Some(Timestamp::from_micros(1_795_199_000_000_000)),
        ..three.clone()
    });
    filters.push(three);
    filters.push(TaskFilter {
        states: TaskState::ALL.to_vec(),
        name: some("app.n0"),
        queue: some("q0"),
        worker: some("w0"),
        engine: some("celery"),
        search: some("x"),
        since: Some(Timestamp::EPOCH),
        until: Some(Timestamp::LATEST),
    });
    filters
}

pub(super) fn shapes() -> Vec<(String, Rule, Sql)> {
    let filters = filters();
    let mut shapes = Vec::new();
    for filter in &filters {
        for sort in TaskSort::ALL {
            for part in order::parts(sort) {
                let at = 1_795_100_000_000_000;
                let later = TaskPlace {
                    value: part
                        .column()
                        .map(|column| if column == "runtime_ms" { 700 } else { at }),
                    changed_at: part.tie().map(|_| at),
                    key: TaskKey::new("celery", "5"),
                };
                for after in [None, Some(&later)] {
                    let Some(walk) = Walk::new(PROJECT, filter, *part, after) else {
                        continue;
                    };
                    let list = format!("{part:?} after {after:?} {filter:?}");
                    for step in Step::ALL.into_iter().filter(|step| is_run(*step, &walk)) {
                        shapes.push((format!("{step:?} {list}"), rule(step), step.sql(&walk, 51)));
                    }
                    if filter.search.is_none() && receipt::is_way_of(&walk) {
                        let sql = receipt::sql(&walk, 2_000, 51);
                        shapes.push((format!("Receipt {list}"), Rule::Page, sql));
                    }
                    if let Some(needle) = filter.search.as_deref().and_then(Needle::new) {
                        let keys = [("celery".to_owned(), "5".to_owned())].into();
                        for days in [None, Some(20_776..20_778)] {
                            let list = format!("in {days:?} {list}");
                            let days = days.as_ref();
                            let candidates = step::candidates(&walk, &needle, days);
                            shapes.push((format!("Candidates {list}"), Rule::Index, candidates));
                            let among = step::among(&walk, &keys, days, 51);
                            shapes.push((format!("Among {list}"), Rule::Index, among));
                        }
                    }
                }
            }
        }
    }
    shapes
}

/// Whether a list can come to run this step.
fn is_run(step: Step, walk: &Walk<'_>) -> bool {
    let is_search = walk.filter.search.is_some();
    match step {
        Step::Exact => !is_search && walk.is_exact(),
        Step::Free | Step::Window { .. } => !is_search && !walk.is_exact(),
        Step::Gathered => !is_search && (!walk.is_exact() || walk.has_choice()),
        Step::Counted => !is_search && !walk.is_exact() && walk.has_window(),
        Step::Records => is_search,
    }
}

fn rule(step: Step) -> Rule {
    match step {
        Step::Exact | Step::Window { .. } | Step::Records => Rule::Page,
        Step::Free | Step::Counted | Step::Gathered => Rule::Index,
    }
}

/// The statements beside lists and searches.
pub(super) fn others() -> Vec<(String, Rule, Sql)> {
    let key = TaskKey::new("celery", "5");
    let keys = std::slice::from_ref(&key);
    let filter = TaskFilter::default();
    let walk = Walk::new(
        PROJECT,
        &filter,
        order::parts(TaskSort::UpdatedDesc)[0],
        None,
    );
    let made = [
        ("sample", step::sample(&walk.expect("a walk"))),
        ("task", detail::select_one(PROJECT, &key)),
        ("tasks by keys", detail::select_some(PROJECT, keys)),
        ("root", detail::select_root(PROJECT, &key)),
        (
            "family",
            detail::select_family(PROJECT, &TaskKey::new("celery", "root9"), 501),
        ),
    ];
    let project = || Value::Uuid(*PROJECT.as_uuid());
    let words = |word: &str| Value::Texts(vec![word.to_owned()]);
    let text = |word: &str| Value::Text(word.to_owned());
    let links = links::select();
    let fixed = [
        (links.as_str(), vec![project(), words("celery"), words("5")]),
        (
            estimate::COUNT,
            vec![project(), words("name"), words("app.n3")],
        ),
        (estimate::SPAN, vec![project()]),
        (numbers::SELECT_STATES, vec![project()]),
        (
            numbers::SELECT_MINUTES,
            vec![project(), text("000000000005"), text("000000000009")],
        ),
        (
            numbers::SELECT_FACET,
            vec![project(), text("name"), Value::Int(50)],
        ),
        (mover::PROJECTS, Vec::new()),
        (mover::MOVE, vec![project(), Value::Int(2_000)]),
    ];
    let fixed = fixed.into_iter().map(|(text, values)| {
        let sql = Sql {
            text: text.to_owned(),
            values,
        };
        ("fixed", sql)
    });
    made.into_iter()
        .chain(fixed)
        .map(|(name, sql)| {
            let rule = if name == "family" {
                Rule::Page
            } else {
                Rule::Index
            };
            (format!("other: {name}"), rule, sql)
        })
        .collect()
}
