//! The benches as a stranger runs them: the program, driving brains by URL and credentials. No number is judged; what is
//! checked is that the numbers are about what really happened.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use z4j_core::store::{PageRequest, TaskFilter, TaskSort};
use z4j_testkit::fixture::TestBrain;
use z4j_testkit::mem::MemStore;

const EMAIL: &str = "bench@example.com";
const PASSWORD: &str = "a password for one test only 4711";

/// A brain in this process, and what the program needs to reach it.
struct Stranger {
    brain: TestBrain,
    folder: tempfile::TempDir,
}

impl Stranger {
    async fn start() -> Self {
        let brain = TestBrain::start(Arc::new(MemStore::default()))
            .await
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut lines = String::from("# token and HMAC secret\n");
        for name in ["one", "two"] {
            let minted = brain.mint(name).await.unwrap();
            let (token, secret) = (&minted.token, &minted.hmac_secret);
            lines += &format!("{} {}\n", token.expose_secret(), secret.expose_secret());
        }
        std::fs::write(folder.path().join("agents"), lines).unwrap();
        std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        let password = SecretString::from(PASSWORD);
        let operator = brain.brain().operator();
        operator
            .create_user(EMAIL, &password, None, true, None)
            .await
            .unwrap();
        Self { brain, folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn json(&self) -> PathBuf {
        self.folder.path().join("numbers.jsonl")
    }

    /// The flags that name this brain.
    fn flags(&self) -> Vec<String> {
        let (agents, password) = (self.file("agents"), self.file("password"));
        let flags = [
            "--brain",
            self.brain.url(),
            "--credentials",
            &agents,
            "--email",
            EMAIL,
            "--password-file",
            &password,
        ];
        flags.map(str::to_owned).to_vec()
    }

    /// Every line of a bench on this brain.
    async fn bench(&self, arguments: &str) -> Vec<Value> {
        let mut all: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        all.extend(self.flags());
        let json = self.json();
        all.extend(["--json".to_owned(), json.display().to_string()]);
        let output = program(all).await;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words}");
        lines(&json)
    }

    /// Tasks in the store, and the events of all of them.
    async fn stored(&self) -> (usize, usize) {
        let (store, project) = (self.brain.store(), self.brain.project());
        let (mut tasks, mut events, mut page) = (0, 0, PageRequest::first(500));
        loop {
            let found = store
                .tasks(project, &TaskFilter::default(), TaskSort::default(), page)
                .await
                .unwrap();
            for task in &found.items {
                let first = PageRequest::first(500);
                let rows = store.task_events(project, &task.key, first).await.unwrap();
                events += rows.items.len();
            }
            tasks += found.items.len();
            match found.next {
                Some(next) => page = PageRequest::first(500).after(Some(next)),
                None => return (tasks, events),
            }
        }
    }
}

async fn program(arguments: Vec<String>) -> Output {
    let run = move || {
        std::process::Command::new(env!("CARGO_BIN_EXE_z4j-benches"))
            .args(arguments)
            .env_remove("DATABASE_URL")
            .output()
            .unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn lines(json: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(json).unwrap();
    let objects = text.lines().map(|line| serde_json::from_str(line).unwrap());
    objects
        .filter(|object: &Value| object.get("line").is_some())
        .collect()
}

fn number(line: &Value, column: &str) -> f64 {
    line["values"][column]
        .as_f64()
        .unwrap_or_else(|| panic!("no {column} in {line}"))
}

fn named<'a>(lines: &'a [Value], part: &str) -> Vec<&'a Value> {
    let holds = |line: &&Value| line["line"].as_str().unwrap().contains(part);
    lines.iter().filter(holds).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_that_ingest_counts_is_in_the_store_of_a_brain_driven_by_url() {
    let stranger = Stranger::start().await;
    let lines = stranger
        .bench(
            "ingest --connections 1,5 --events-per-frame 1,10 --seconds 20 --tasks-single 100 --tasks-batched 200 --no-ceiling",
        )
        .await;
    assert_eq!(lines.len(), 4);
    let events: f64 = lines.iter().map(|line| number(line, "events")).sum();
    assert!((events - 1_800.0).abs() < 0.5, "{events}");
    assert_eq!(stranger.stored().await, (600, 1_800));
    for line in &lines {
        assert!(number(line, "driver_cpu_s") >= 0.0 && number(line, "ack_p99_ms") > 0.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_brains_take_turns() {
    let (one, two) = (Stranger::start().await, Stranger::start().await);
    let mut arguments: Vec<String> = two.flags();
    arguments.splice(0..0, ["--rounds", "2"].map(str::to_owned));
    let arguments = format!(
        "ingest --connections 2 --events-per-frame 1 --seconds 20 --tasks-single 30 --no-ceiling {}",
        arguments.join(" ")
    );
    let lines = one.bench(&arguments).await;
    let names: Vec<&str> = lines
        .iter()
        .map(|line| line["line"].as_str().unwrap())
        .collect();
    let url = |name: &str| if name.contains(one.brain.url()) { 1 } else { 2 };
    let order: Vec<_> = names.iter().map(|name| url(name)).collect();
    assert_eq!(order, [2, 1, 2, 1, 2, 1], "{names:?}");
    assert_eq!(one.stored().await, (60, 180));
    assert_eq!(two.stored().await, (60, 180));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_frame_that_was_due_is_a_sample_of_the_ack_latency() {
    let stranger = Stranger::start().await;
    let lines = stranger
        .bench("ack --connections 4 --rate 200 --seconds 1")
        .await;
    let ack = named(&lines, "ack")[0];
    assert!((number(ack, "samples") - 200.0).abs() < 0.5, "{ack}");
    assert!(number(ack, "p50_ms") <= number(ack, "p99_ms"));
    assert!(number(ack, "p99_ms") <= number(ack, "max_ms"));
    assert_eq!(stranger.stored().await.1, 400, "warm-up included");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_is_a_sample_and_reaches_the_agent() {
    let stranger = Stranger::start().await;
    let lines = stranger.bench("command --samples 5").await;
    for action in ["retry", "cancel"] {
        let line = named(&lines, action)[0];
        assert!((number(line, "samples") - 5.0).abs() < 0.5, "{line}");
        assert!(number(line, "frame_p50_ms") > 0.0 && number(line, "call_p50_ms") > 0.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_is_answered_as_often_as_asked() {
    let stranger = Stranger::start().await;
    let fill = "ingest --connections 2 --events-per-frame 100 --seconds 20 --tasks-batched 120 --no-ceiling";
    stranger.bench(fill).await;
    std::fs::remove_file(stranger.json()).unwrap();
    let lines = stranger.bench("query --samples 6 --concurrency 2").await;
    assert_eq!(lines.len(), 17);
    for line in &lines {
        assert!((number(line, "samples") - 6.0).abs() < 0.5, "{line}");
        assert!(number(line, "errors") < 0.5, "{line}");
    }
    let rows = |part: &str| number(named(&lines, part)[0], "rows");
    assert!((rows("first page") - 50.0).abs() < 0.5);
    assert!(rows("search, no hit") < 0.5 && rows("search, many") > 49.5);
    assert!(
        rows("page 3") > 0.5,
        "the last page is the third: 120 tasks"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_links_of_a_process_that_is_named_are_measured() {
    let stranger = Stranger::start().await;
    let own = format!(
        "idle --links 6 --hold-seconds 1 --settle-seconds 0 --pid {}",
        std::process::id()
    );
    let lines = stranger.bench(&own).await;
    assert!(number(&lines[0], "rss_mib_held") > 1.0, "{lines:?}");
    assert!(number(&lines[0], "brain_peak_mib") > 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drivers_ceiling_is_measured_against_a_server_that_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("numbers");
    let arguments = format!(
        "driver-ceiling --connections 2 --events-per-frame 1 --seconds 1 --json {}",
        json.display()
    );
    let output = program(arguments.split(' ').map(str::to_owned).collect()).await;
    assert!(output.status.success(), "{output:?}");
    assert!(number(&lines(&json)[0], "events_per_s") > 0.0);
}

async fn refused(arguments: Vec<String>) -> String {
    let output = program(arguments).await;
    assert!(!output.status.success());
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(words.trim().lines().count(), 1, "{words}");
    words
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_url_and_refused_credentials_are_one_sentence_and_a_failure() {
    let stranger = Stranger::start().await;
    let ingest = |url: &str, agents: &str| {
        let words = [
            "ingest",
            "--connections",
            "2",
            "--brain",
            url,
            "--credentials",
            agents,
        ];
        words.map(str::to_owned).to_vec()
    };
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let words = refused(ingest(&url, &stranger.file("agents"))).await;
    assert!(
        words.contains(&format!("no brain answers at {url}")),
        "{words}"
    );

    let wrong = format!("{}/api/v1", stranger.brain.url());
    let words = refused(ingest(&wrong, &stranger.file("agents"))).await;
    assert!(words.contains("base URL"), "{words}");

    let bad = stranger.folder.path().join("bad");
    let secret = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=";
    std::fs::write(&bad, format!("no-such-token {secret}\n")).unwrap();
    let words = refused(ingest(stranger.brain.url(), &bad.display().to_string())).await;
    assert!(
        words.contains("refused the credentials from line 1 of"),
        "{words}"
    );
    assert!(
        !words.contains("no-such-token") && !words.contains(secret),
        "{words}"
    );

    let mut flags = stranger.flags();
    std::fs::write(stranger.folder.path().join("password"), "wrong\n").unwrap();
    flags.insert(0, "command".to_owned());
    let words = refused(flags).await;
    assert!(words.contains("refused the sign-in"), "{words}");
}
