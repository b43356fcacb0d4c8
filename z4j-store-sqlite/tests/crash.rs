//! What was acknowledged survives SIGKILL: a child writes and says so after each commit; its parent kills it.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is a test with a harness of its own"
)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use support::{PROJECT, batch, counted, create_project, task_id};
use z4j_core::id::TaskKey;
use z4j_core::store::{EventStore, PageRequest};
use z4j_store_sqlite::SqliteStore;

const CHILD: &str = "--write-into";
const ROUNDS: u64 = 5;
const ACKS_BEFORE_KILL: usize = 60;
const EVENTS_PER_BATCH: u64 = 7;
const WRITERS: u64 = 4;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.as_slice() {
        [_, flag, directory, round] if flag == CHILD => {
            write_until_killed(Path::new(directory), round.parse().unwrap())
        }
        // nextest lists twice: once for what is ignored, and nothing is.
        _ if arguments.iter().any(|argument| argument == "--list") => {
            if !arguments.iter().any(|argument| argument == "--ignored") {
                println!("acknowledged_batches_survive_sigkill: test");
            }
        }
        _ => acknowledged_batches_survive_sigkill(),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn acknowledged_batches_survive_sigkill() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        acknowledged.extend(run_child(directory.path(), round));
        runtime().block_on(check(directory.path(), &acknowledged));
    }
    println!(
        "test acknowledged_batches_survive_sigkill ... ok ({} batches)",
        acknowledged.len()
    );
}

/// Kills the child in the middle of its work; answers the batches that it said were stored.
fn run_child(directory: &Path, round: u64) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([CHILD, directory.to_str().unwrap(), &round.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    for line in lines.by_ref().take(ACKS_BEFORE_KILL) {
        acknowledged.push(line.unwrap().parse().unwrap());
    }
    child.kill().unwrap();
    // Whole lines that are still in the pipe were acknowledged too; the last one may be cut.
    acknowledged.extend(
        lines
            .map_while(Result::ok)
            .filter_map(|line| line.parse::<u64>().ok()),
    );
    child.wait().unwrap();
    assert!(
        acknowledged.len() >= ACKS_BEFORE_KILL,
        "the child ended by itself"
    );
    acknowledged
}

async fn check(directory: &Path, acknowledged: &[u64]) {
    let store = SqliteStore::in_dir(directory).unwrap();
    for number in acknowledged {
        let key = TaskKey::new("celery", task_id(*number));
        let page = store
            .task_events(PROJECT, &key, PageRequest::first(100))
            .await
            .unwrap();
        let found = u64::try_from(page.items.len()).unwrap();
        assert_eq!(found, EVENTS_PER_BATCH, "batch {number} was acknowledged");
    }
    let tasks = counted(&store).await;
    assert!(tasks >= u64::try_from(acknowledged.len()).unwrap());
    let raw = rusqlite::Connection::open(store.path()).unwrap();
    let (rows, events): (i64, i64) = raw
        .query_row(
            "SELECT (SELECT count(*) FROM tasks), (SELECT count(*) FROM events)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(u64::try_from(rows), Ok(tasks), "counters equal the rows");
    assert_eq!(
        u64::try_from(events),
        Ok(tasks * EVENTS_PER_BATCH),
        "no batch is there in part"
    );
    let verdict: String = raw
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok");
    store.close().await;
}

/// Every third batch is sent twice. Each line on standard output names a batch that is stored.
fn write_until_killed(directory: &Path, round: u64) {
    let store = SqliteStore::in_dir(directory).unwrap();
    runtime().block_on(async {
        create_project(&store).await;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write_forever(store.clone(), round, writer)))
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

async fn write_forever(store: SqliteStore, round: u64, writer: u64) {
    for turn in 0.. {
        let number = (round << 32) | (turn * WRITERS + writer);
        for _ in 0..=u64::from(turn % 3 == 0) {
            let _ = store
                .ingest(batch(number, EVENTS_PER_BATCH, 300))
                .await
                .unwrap();
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "{number}").unwrap();
        out.flush().unwrap();
    }
}
