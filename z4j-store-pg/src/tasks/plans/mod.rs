//! Explains every statement of lists and searches on a table of some size, as a plan for any values and as a plan for these,
//! and refuses plans that read or sort more than a page needs.

mod shapes;

use std::fmt::Write as _;

use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use z4j_core::id::ProjectId;
use z4j_core::store::{TaskFilter, TaskSort};
use z4j_testkit::postgres::Database;

use self::shapes::{filled, others, shapes};
use super::list;
use super::order;
use super::sql::{Sql, Value};
use super::step::Step;
use super::walk::Walk;

const PROJECT: ProjectId = ProjectId::from_u128(1);

/// Tables that grow with the work of a fleet.
const BIG: [&str; 4] = ["tasks", "task_texts", "task_texts_new", "counters"];

/// What a statement may do with the rows that it reads from tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Stop by itself after a page.
    Page,
    /// Use an index, as many rows as that gives.
    Index,
}

/// A value as it is written in SQL; values of this test hold no quotes.
fn literal(value: &Value) -> (&'static str, String) {
    match value {
        Value::Uuid(id) => ("uuid", format!("'{id}'")),
        Value::Int(number) => ("bigint", number.to_string()),
        Value::Text(text) => ("text", format!("'{text}'")),
        Value::Codes(codes) => (
            "int4[]",
            format!(
                "'{{{}}}'",
                codes
                    .iter()
                    .map(i32::to_string)
                    .collect::<Vec<_>>()
                    .join(",")
            ),
        ),
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
