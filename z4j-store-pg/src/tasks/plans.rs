//! Explains every statement of lists and searches on a table of some size, as a plan for any values and as a plan for these,
//! and refuses plans that read or sort more than a page needs.

use std::fmt::Write as _;

use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::store::{TaskFilter, TaskSort};
use z4j_core::task::TaskState;
use z4j_core::time::Timestamp;
use z4j_testkit::postgres::Database;

use super::order::{self, Position};
use super::sql::{Sql, Value};
use super::step::{Step, lookup};
use super::walk::Walk;
use super::{detail, estimate, links, list, mover, numbers, search};

const PROJECT: ProjectId = ProjectId::from_u128(1);
const SORTS: [TaskSort; 5] = [
    TaskSort::UpdatedDesc,
    TaskSort::UpdatedAsc,
    TaskSort::ReceivedDesc,
    TaskSort::FinishedDesc,
    TaskSort::RuntimeDesc,
];

/// Tables that grow with the work of a fleet.
const BIG: [&str; 4] = ["tasks", "task_texts", "task_texts_new", "counters"];

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
INSERT INTO task_texts (project_id, engine, task_id, text)
    SELECT project_id, engine, task_id, 'z100' || chr(1) || task_id || chr(1) || name FROM tasks;
INSERT INTO task_texts_new (project_id, engine, task_id, text)
    SELECT project_id, engine, task_id, 'z100' || chr(1) || task_id || chr(1) || name FROM tasks LIMIT 40000;
INSERT INTO counters (project_id, kind, name, shard, count)
    SELECT project_id, 'minute', lpad(n::text, 12, '0') || ':success', n % 4, 1
    FROM generate_series(1, 20000) n, (SELECT id AS project_id FROM projects) p;
INSERT INTO counters (project_id, kind, name, shard, count)
    SELECT id, kind, kind || n, 0, n FROM projects, unnest(ARRAY['name', 'queue', 'worker', 'state']) kind, generate_series(1, 50) n;
VACUUM ANALYZE tasks; VACUUM ANALYZE task_texts; VACUUM ANALYZE task_texts_new; VACUUM ANALYZE counters;
";

async fn filled(database: &Database) -> PgConnection {
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

/// What a statement may do with the rows that it reads from tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Stop by itself after a page.
    Page,
    /// Use an index, as many rows as that gives.
    Index,
}

fn shapes() -> Vec<(String, Rule, Sql)> {
    let after: [Option<Position>; 3] = [
        None,
        Some((
            Some(1_795_100_000_000_000),
            "celery".to_owned(),
            "5".to_owned(),
        )),
        Some((None, "celery".to_owned(), "5".to_owned())),
    ];
    let filters = filters();
    let mut shapes = Vec::new();
    for filter in &filters {
        for sort in SORTS {
            for part in order::parts(sort) {
                for after in &after {
                    let is_there = after
                        .as_ref()
                        .is_none_or(|(value, _, _)| value.is_some() == part.column().is_some());
                    let walk =
                        Walk::new(PROJECT, filter, *part, after.as_ref()).filter(|_| is_there);
                    let Some(walk) = walk else { continue };
                    let list = format!("{part:?} after {after:?} {filter:?}");
                    for step in Step::ALL.into_iter().filter(|step| is_run(*step, &walk)) {
                        shapes.push((format!("{step:?} {list}"), rule(step), step.sql(&walk, 51)));
                    }
                    if walk.has_search() {
                        let parts = ["abcd".to_owned(), "ef01".to_owned()];
                        shapes.push((
                            format!("Lookup {list}"),
                            Rule::Index,
                            lookup(&walk, &parts, 51),
                        ));
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
    let has_window = walk.filter.since.is_some() || walk.filter.until.is_some();
    match step {
        Step::Exact => !is_search && walk.is_exact(),
        Step::Free | Step::Window { .. } | Step::Gathered => !is_search && !walk.is_exact(),
        Step::Counted => !is_search && !walk.is_exact() && has_window,
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
fn others() -> Vec<(String, Rule, Sql)> {
    let key = TaskKey::new("celery", "5");
    let keys = std::slice::from_ref(&key);
    let made = [
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
        (numbers::SELECT_STATES, vec![project()]),
        (
            numbers::SELECT_MINUTES,
            vec![project(), text("000000000005"), text("000000000009")],
        ),
        (
            numbers::SELECT_FACET,
            vec![project(), text("name"), Value::Int(50)],
        ),
        (search::SAMPLE, Vec::new()),
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

/// A value as it is written in SQL; values of this test hold no quotes.
fn literal(value: &Value) -> (&'static str, String) {
    match value {
        Value::Uuid(id) => ("uuid", format!("'{id}'")),
        Value::Int(number) => ("bigint", number.to_string()),
        Value::Text(text) => ("text", format!("'{text}'")),
        Value::Texts(texts) => ("text[]", format!("ARRAY['{}']::text[]", texts.join("','"))),
    }
}

async fn explain(conn: &mut PgConnection, sql: &Sql, mode: &str) -> Json {
    let literals: Vec<_> = sql.values.iter().map(literal).collect();
    let kinds: Vec<_> = literals.iter().map(|(kind, _)| *kind).collect();
    let values: Vec<_> = literals.iter().map(|(_, value)| value.as_str()).collect();
    let listed = |parts: &[&str]| {
        if parts.is_empty() {
            String::new()
        } else {
            format!("({})", parts.join(", "))
        }
    };
    let prepare = format!(
        "SET plan_cache_mode = {mode}; PREPARE shape{} AS {}",
        listed(&kinds),
        sql.text
    );
    sqlx::raw_sql(AssertSqlSafe(prepare))
        .execute(&mut *conn)
        .await
        .unwrap_or_else(|error| panic!("{error}: {}", sql.text));
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE shape{}", listed(&values));
    let row = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_one(&mut *conn)
        .await
        .unwrap_or_else(|error| panic!("{error}: {}", sql.text));
    sqlx::raw_sql("DEALLOCATE shape")
        .execute(conn)
        .await
        .expect("deallocating");
    let text: String = row.try_get_unchecked(0).expect("a plan");
    let plan: Json = serde_json::from_str(&text).expect("JSON");
    plan[0]["Plan"].clone()
}

fn children(node: &Json) -> &[Json] {
    node["Plans"].as_array().map_or(&[], Vec::as_slice)
}

fn kind(node: &Json) -> &str {
    node["Node Type"].as_str().unwrap_or_default()
}

/// Whether a node gives no more rows than some limit, a gathered few or an aggregate.
fn is_bounded(node: &Json) -> bool {
    match kind(node) {
        "Limit" | "CTE Scan" | "Function Scan" | "Aggregate" | "Result" => true,
        "Index Scan" | "Index Only Scan" | "Bitmap Heap Scan" | "Seq Scan" => false,
        "Nested Loop" => children(node).first().is_some_and(is_bounded),
        _ => !children(node).is_empty() && children(node).iter().all(is_bounded),
    }
}

/// What is wrong with a plan, in words; empty when nothing is.
fn faults(node: &Json, rule: Rule, is_limited: bool, faults: &mut String) {
    let (kind, table) = (
        kind(node),
        node["Relation Name"].as_str().unwrap_or_default(),
    );
    let mut tell =
        |what: &str| writeln!(faults, "{kind} {table}: {what}").expect("writing to a string");
    if kind == "Seq Scan" && BIG.contains(&table) {
        tell("reads a whole table");
    }
    if rule == Rule::Page && kind == "Sort" && !children(node).iter().all(is_bounded) {
        // For values that are rare the database may sort what little there is.
        let rows = children(node)
            .iter()
            .filter_map(|child| child["Plan Rows"].as_f64())
            .sum::<f64>();
        if rows > 2_000.0 {
            tell("sorts a whole result");
        }
    }
    if rule == Rule::Page && table == "tasks" && !is_limited {
        tell("has no limit above it");
    }
    if rule == Rule::Page
        && kind == "Bitmap Heap Scan"
        && node["Plan Rows"].as_f64() > Some(2_000.0)
    {
        tell("gathers rows");
    }
    let passes_on = matches!(
        kind,
        "Limit" | "Incremental Sort" | "Subquery Scan" | "Merge Append" | "Append" | "Sort"
    );
    let is_limited = kind == "Limit" || (is_limited && passes_on);
    for child in children(node) {
        self::faults(child, rule, is_limited, faults);
    }
}

/// Plans for any values and for these.
const BOTH: &[&str] = &["force_generic_plan", "force_custom_plan"];
/// Plans as they are made under [`list::SETTINGS`].
const CUSTOM: &[&str] = &["force_custom_plan"];

async fn check(conn: &mut PgConnection, shapes: &[(String, Rule, Sql)], modes: &[&str]) -> String {
    let mut all = String::new();
    for (name, rule, sql) in shapes {
        for mode in modes {
            let plan = explain(conn, sql, mode).await;
            let mut found = String::new();
            faults(&plan, *rule, false, &mut found);
            if !found.is_empty() {
                writeln!(all, "{name}\n  {mode}: {found}  {}\n{plan:#}", sql.text)
                    .expect("writing to a string");
            }
        }
    }
    all
}

#[tokio::test]
async fn no_list_or_search_reads_a_whole_table_or_sorts_a_whole_result() {
    let database = Database::fresh().await;
    let mut conn = filled(&database).await;
    let (simple, chosen): (Vec<_>, Vec<_>) = shapes()
        .into_iter()
        .chain(others())
        .partition(|(name, _, _)| name.starts_with("Exact") || name.starts_with("other: "));
    assert!(
        simple.len() > 100 && chosen.len() > 500,
        "{} {}",
        simple.len(),
        chosen.len()
    );
    let faults = check(&mut conn, &simple, BOTH).await;
    assert!(
        faults.is_empty(),
        "{}",
        faults.get(..8_000).unwrap_or(&faults)
    );
    // Here the settings last for the session.
    let settings = list::SETTINGS.replace("true", "false");
    sqlx::raw_sql(AssertSqlSafe(settings))
        .execute(&mut conn)
        .await
        .expect("settings");
    let faults = check(&mut conn, &chosen, CUSTOM).await;
    assert!(
        faults.is_empty(),
        "{}",
        faults.get(..8_000).unwrap_or(&faults)
    );
    // A rule that nothing breaks proves nothing.
    let filter = TaskFilter::default();
    let newest = order::parts(TaskSort::UpdatedDesc)[0];
    let walk = Walk::new(PROJECT, &filter, newest, None).expect("a walk");
    let shape = [("exact".to_owned(), Rule::Page, Step::Exact.sql(&walk, 51))];
    sqlx::raw_sql("SET enable_seqscan = on; DROP INDEX tasks_by_change")
        .execute(&mut conn)
        .await
        .expect("dropping an index");
    let faults = check(&mut conn, &shape, CUSTOM).await;
    assert!(
        faults.contains("Seq Scan tasks: reads a whole table"),
        "{faults}"
    );
}
