//! The questions that a task page asks.

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::client::Admin;
use crate::population::{order, word};

/// Rows of one page, as the dashboard asks for.
const PAGE_ROWS: usize = 50;
/// Which page is the deep one.
const DEEP_PAGE: usize = 1_000;

/// A question, with a path for each sample so that no answer is asked for twice in a row.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// What is asked.
    pub(crate) name: String,
    paths: Vec<String>,
}

impl Case {
    /// What to ask for in the sample of this number.
    pub(crate) fn path(&self, sample: usize) -> &str {
        &self.paths[sample % self.paths.len()]
    }

    fn new(name: &str, queries: impl IntoIterator<Item = String>) -> Self {
        let paths = queries
            .into_iter()
            .map(|query| format!("tasks?limit={PAGE_ROWS}{query}"));
        Self {
            name: name.to_owned(),
            paths: paths.collect(),
        }
    }
}

/// All questions about a project with about `tasks` tasks of our population.
pub(crate) async fn cases(admin: &Admin, tasks: u64) -> anyhow::Result<Vec<Case>> {
    let facets = admin.get("tasks/facets").await?;
    let values = |member: &str| -> anyhow::Result<Vec<String>> {
        let list = facets.get(member).and_then(Value::as_array);
        let list = list.with_context(|| format!("the brain names no {member}"))?;
        let texts = list.iter().filter_map(|facet| facet.get("value")?.as_str());
        let texts: Vec<String> = texts.map(encoded).collect();
        ensure!(!texts.is_empty(), "the project has no {member}");
        Ok(texts)
    };
    let (names, queues) = (values("names")?, values("queues")?);
    let workers = values("workers")?;
    let with = |member: &'static str, values: &[String]| -> Vec<String> {
        let with = values.iter().map(|value| format!("&{member}={value}"));
        with.collect()
    };
    let failed = |queries: Vec<String>| queries.into_iter().map(|q| format!("&state=failure{q}"));
    let search = |text: String| format!("&search={}", encoded(&text));
    let some = |step: u64| (0..200).map(move |sample| sample * step);
    let mut cases = vec![
        Case::new("first page", [String::new()]),
        Case::new("state=success", ["&state=success".to_owned()]),
        Case::new("state=failure", ["&state=failure".to_owned()]),
        Case::new("name", with("name", &names)),
        Case::new("queue", with("queue", &queues)),
        Case::new("worker", with("worker", &workers)),
        Case::new("state+queue", failed(with("queue", &queues))),
        Case::new("search, many hits", [search("checkout".to_owned())]),
        Case::new(
            "search, one hit",
            some((tasks / 200).max(1)).map(|task| search(order(task % tasks.max(1)))),
        ),
        Case::new(
            "search, no hit",
            some(1).map(|sample| search(format!("nowhere-{sample}-at-all"))),
        ),
        Case::new(
            "search, a word of arguments",
            some(7).map(|index| search(word(index))),
        ),
    ];
    for sort in [
        "-updated_at",
        "updated_at",
        "-received_at",
        "-finished_at",
        "-runtime_ms",
    ] {
        cases.push(Case::new(
            &format!("sort {sort}"),
            [format!("&sort={sort}")],
        ));
    }
    cases.push(deep_page(admin).await?);
    Ok(cases)
}

/// Walks to the thousandth page, or to the last, and asks for it.
async fn deep_page(admin: &Admin) -> anyhow::Result<Case> {
    let mut cursor = None;
    let mut page = 1;
    while page < DEEP_PAGE {
        let path = path_at(cursor.as_deref());
        let body = admin.get(&path).await?;
        match body.get("next_cursor").and_then(Value::as_str) {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
        page += 1;
    }
    Ok(Case {
        name: format!("page {page}"),
        paths: vec![path_at(cursor.as_deref())],
    })
}

fn path_at(cursor: Option<&str>) -> String {
    let cursor = cursor.map(|cursor| format!("&cursor={}", encoded(cursor)));
    format!("tasks?limit={PAGE_ROWS}{}", cursor.unwrap_or_default())
}

/// As it stands in a query.
fn encoded(text: impl AsRef<str>) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let written = text.as_ref().bytes().map(|byte| match byte {
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    written.collect()
}
