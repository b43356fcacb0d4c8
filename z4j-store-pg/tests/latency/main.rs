//! How long lists and searches take on a large database, measured through the store.
//!
//! Ignored: it needs a database that somebody filled (docs/scaling.md says how) in `Z4J_LATENCY_URL`, and its project in
//! `Z4J_LATENCY_PROJECT`; `Z4J_LATENCY_ONLY` names one part (searches, lists, pairs, triples, numbers). It prints one line for each
//! kind of query and asserts nothing about time.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::too_many_lines,
    reason = "a measurement that prints what it measured"
)]

mod combined;
mod searches;

use std::time::{Duration, Instant};

use z4j_core::id::ProjectId;
use z4j_core::store::{Facets, Page, PageRequest, TaskFilter, TaskQueries, TaskSort, TaskSummary};
use z4j_core::task::TaskState;
use z4j_core::time::Timestamp;
use z4j_store_pg::{PgConfig, PgStore};

const SAMPLES: usize = 60;
const ROWS: u32 = 50;

struct Bench {
    store: PgStore,
    project: ProjectId,
}

impl Bench {
    async fn page(
        &self,
        filter: &TaskFilter,
        sort: TaskSort,
        page: PageRequest,
    ) -> Page<TaskSummary> {
        self.store
            .tasks(self.project, filter, sort, page)
            .await
            .expect("a page")
    }

    /// Each filter once, then again and again; prints cold-ish and warm times.
    async fn measure(&self, kind: &str, sort: TaskSort, filters: &[TaskFilter]) {
        let mut first = Vec::new();
        let mut warm = Vec::new();
        let mut rows = 0;
        for sample in 0..SAMPLES.max(filters.len() * 2) {
            let filter = &filters[sample % filters.len()];
            let began = Instant::now();
            let page = self
                .store
                .tasks(self.project, filter, sort, PageRequest::first(ROWS))
                .await;
            let took = began.elapsed();
            let Ok(page) = page else {
                println!("{kind}: {:?} was given up after {took:?}", filter.search);
                break;
            };
            if sample < filters.len() {
                rows = rows.max(page.items.len());
                first.push(took);
            } else {
                warm.push(took);
            }
        }
        print(kind, &mut first, &mut warm, rows);
    }

    /// The thousandth page, reached by key.
    async fn deep(&self, kind: &str, sort: TaskSort, filter: &TaskFilter) {
        let mut after = None;
        let mut walk = Vec::new();
        for _ in 0..1_000 {
            let request = PageRequest::first(ROWS).after(after.take());
            let began = Instant::now();
            let page = self.page(filter, sort, request).await;
            walk.push(began.elapsed());
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut warm = Vec::new();
        for _ in 0..SAMPLES {
            let began = Instant::now();
            let request = PageRequest::first(ROWS).after(after.clone());
            let _ = self.page(filter, sort, request).await;
            warm.push(began.elapsed());
        }
        print(kind, &mut walk, &mut warm, ROWS as usize);
    }
}

fn print(kind: &str, first: &mut [Duration], warm: &mut [Duration], rows: usize) {
    first.sort_unstable();
    warm.sort_unstable();
    let at = |times: &[Duration], part: f64| {
        let index = ((times.len() as f64 - 1.0) * part).round() as usize;
        times
            .get(index)
            .map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "| {kind} | {:.1} / {:.1} ({}) | {:.1} / {:.1} / {:.1} ({}) | {rows} |",
        at(first, 0.5),
        at(first, 1.0),
        first.len(),
        at(warm, 0.5),
        at(warm, 0.99),
        at(warm, 1.0),
        warm.len()
    );
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn search(text: &str) -> TaskFilter {
    TaskFilter {
        search: some(text),
        ..TaskFilter::default()
    }
}

#[tokio::test]
#[ignore = "needs a large database"]
async fn lists_and_searches_of_a_large_project() {
    let url = std::env::var("Z4J_LATENCY_URL").expect("Z4J_LATENCY_URL");
    let project = std::env::var("Z4J_LATENCY_PROJECT").expect("Z4J_LATENCY_PROJECT");
    let store = PgStore::open(PgConfig::new(url.parse().expect("a URL")))
        .await
        .expect("a store");
    let bench = Bench {
        store,
        project: project.parse().expect("a project id"),
    };
    println!("| query | first p50 / max (n) ms | warm p50 / p99 / max (n) ms | rows |");
    println!("|---|---|---|---|");
    let only = std::env::var("Z4J_LATENCY_ONLY").unwrap_or_default();
    let is_asked = |part: &str| only.is_empty() || only == part;
    if is_asked("searches") {
        searches::searches(&bench).await;
    }
    if is_asked("lists") {
        lists(&bench).await;
    }
    if is_asked("pairs") {
        combined::pairs(&bench).await;
    }
    if is_asked("triples") {
        combined::triples(&bench).await;
    }
    if is_asked("numbers") {
        numbers(&bench).await;
    }
}

const SORTS: [(&str, TaskSort); 5] = [
    ("changed, latest first", TaskSort::UpdatedDesc),
    ("changed, earliest first", TaskSort::UpdatedAsc),
    ("received", TaskSort::ReceivedDesc),
    ("finished", TaskSort::FinishedDesc),
    ("run time", TaskSort::RuntimeDesc),
];

async fn facets(bench: &Bench) -> Facets {
    bench
        .store
        .facets(bench.project, 1_000)
        .await
        .expect("facets")
}

async fn lists(bench: &Bench) {
    let none = TaskFilter::default();
    let facets = facets(bench).await;
    let by = |set: fn(&mut TaskFilter, String), values: &[z4j_core::store::Facet]| {
        let filters = values.iter().map(|facet| {
            let mut filter = TaskFilter::default();
            set(&mut filter, facet.value.clone());
            filter
        });
        filters.collect::<Vec<_>>()
    };
    let states: Vec<TaskFilter> = TaskState::ALL
        .iter()
        .map(|state| TaskFilter {
            states: vec![*state],
            ..none.clone()
        })
        .collect();
    let newest = bench
        .page(&none, TaskSort::UpdatedDesc, PageRequest::first(1))
        .await;
    let end = newest.items.first().expect("a task").state_at;
    let windows: Vec<TaskFilter> = [1_u64, 60, 1_440, 7 * 1_440, 20 * 1_440]
        .iter()
        .map(|minutes| TaskFilter {
            since: Some(Timestamp::from_micros(
                end.as_micros() - i64::try_from(minutes * 60_000_000).expect("minutes"),
            )),
            ..none.clone()
        })
        .collect();
    for (name, sort) in SORTS {
        bench
            .measure(
                &format!("first page, by {name}"),
                sort,
                std::slice::from_ref(&none),
            )
            .await;
        bench
            .deep(
                &format!("pages 1 to 1000, then page 1001, by {name}"),
                sort,
                &none,
            )
            .await;
        let frequent = facets.names.first().map(|facet| facet.value.clone());
        let of_name = TaskFilter {
            name: frequent,
            ..none.clone()
        };
        let pages = "pages 1 to 1000 of a name, then page 1001";
        bench
            .deep(&format!("{pages}, by {name}"), sort, &of_name)
            .await;
        for (what, filters) in [
            ("state", &states),
            (
                "name",
                &by(|filter, value| filter.name = Some(value), &facets.names),
            ),
            (
                "queue",
                &by(|filter, value| filter.queue = Some(value), &facets.queues),
            ),
            (
                "worker",
                &by(|filter, value| filter.worker = Some(value), &facets.workers),
            ),
            ("time window", &windows),
        ] {
            bench
                .measure(&format!("{what}, by {name}"), sort, filters)
                .await;
        }
    }
}

async fn numbers(bench: &Bench) {
    let mut times = Vec::new();
    for _ in 0..SAMPLES {
        let began = Instant::now();
        let _ = facets(bench).await;
        let _ = bench
            .store
            .state_counts(bench.project)
            .await
            .expect("counts");
        times.push(began.elapsed());
    }
    print("facets and state counts", &mut [], &mut times, 0);
    let page = bench
        .page(
            &TaskFilter::default(),
            TaskSort::RuntimeDesc,
            PageRequest::first(100),
        )
        .await;
    let (mut detail, mut tree) = (Vec::new(), Vec::new());
    for task in &page.items {
        let began = Instant::now();
        let _ = bench
            .store
            .task(bench.project, &task.key)
            .await
            .expect("a task");
        detail.push(began.elapsed());
        let began = Instant::now();
        let _ = bench
            .store
            .task_tree(bench.project, &task.key, 500)
            .await
            .expect("a tree");
        tree.push(began.elapsed());
    }
    print("one task", &mut [], &mut detail, 1);
    print("tree of a task", &mut [], &mut tree, 10);
}
