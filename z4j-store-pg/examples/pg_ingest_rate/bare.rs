//! The best SQL shape of decision 7, without the store around it: the same rows, asked for, locked and copied in.

use std::time::Instant;

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;
use z4j_testkit::postgres::Database;

/// Sequential scans and their like are off, as the store has them, for plans that were made while tables were small.
const BEGIN: &str = "BEGIN; SET LOCAL jit = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
    SET LOCAL enable_mergejoin = off";
const ASK: &str = "SELECT e.id FROM unnest($1::uuid[], $2::int8[], $3::uuid[]) AS w (project_id, sent_at, id) \
    JOIN events e USING (project_id, sent_at, id)";
const LOCK: &str = "SELECT t.record FROM unnest($1::uuid[], $2::text[], $3::text[]) AS w (project_id, engine, task_id) \
    JOIN tasks t USING (project_id, engine, task_id) ORDER BY t.project_id, t.engine, t.task_id FOR UPDATE OF t";
const COUNT: &str = "INSERT INTO counters (project_id, kind, name, shard, count) \
    SELECT $1, 'bare', 'n' || n, $2, 1 FROM generate_series(1, 30) n \
    ON CONFLICT (project_id, kind, name, shard) DO UPDATE SET count = counters.count + excluded.count";

/// The rows of one transaction, as COPY takes them, and their keys.
struct Share {
    events: Bytes,
    event_keys: (Vec<Uuid>, Vec<i64>, Vec<Uuid>),
    tasks: Bytes,
    task_keys: (Vec<Uuid>, Vec<String>, Vec<String>),
}

/// Events per second when what `source` holds is written to `target` in batches of `batch`, on `in_flight` connections.
pub(crate) async fn rate(
    source: &Database,
    target: &Database,
    batch: usize,
    in_flight: usize,
) -> f64 {
    let from = connect(source).await;
    let events: i64 = from
        .query_one("SELECT count(*) FROM events", &[])
        .await
        .unwrap()
        .get(0);
    let events = usize::try_from(events).unwrap();
    let shares = events.div_ceil(batch);
    let mut lanes: Vec<Vec<Share>> = (0..in_flight).map(|_| Vec::new()).collect();
    for number in 0..shares {
        lanes[number % in_flight].push(share(&from, number, shares, batch).await);
    }
    let to = connect(target).await;
    to.batch_execute(
        "INSERT INTO projects (id, slug, name, created_at) VALUES ('00000000-0000-0000-0000-000000000001', 'p', 'p', 0);
         CREATE TABLE events_bare PARTITION OF events FOR VALUES FROM (1795392000000000) TO (1795478400000000)",
    )
    .await
    .unwrap();
    let mut clients = Vec::new();
    for _ in 0..in_flight {
        clients.push(connect(target).await);
    }
    let start = Instant::now();
    let running: Vec<_> = clients
        .into_iter()
        .zip(lanes)
        .enumerate()
        .map(|(lane, (client, shares))| {
            tokio::spawn(write(client, shares, i16::try_from(lane).unwrap()))
        })
        .collect();
    for lane in running {
        lane.await.unwrap();
    }
    events as f64 / start.elapsed().as_secs_f64()
}

async fn write(client: Client, shares: Vec<Share>, shard: i16) {
    let project = Uuid::from_u128(1);
    let (ask, lock, count) = tokio::try_join!(
        client.prepare(ASK),
        client.prepare(LOCK),
        client.prepare(COUNT)
    )
    .unwrap();
    for share in shares {
        let (projects, sent, ids) = &share.event_keys;
        let (task_projects, engines, task_ids) = &share.task_keys;
        let asked: [&(dyn ToSql + Sync); 3] = [projects, sent, ids];
        let wanted: [&(dyn ToSql + Sync); 3] = [task_projects, engines, task_ids];
        let counted: [&(dyn ToSql + Sync); 2] = [&project, &shard];
        let (_, there, locked) = tokio::try_join!(
            biased;
            client.batch_execute(BEGIN),
            client.query(&ask, &asked),
            client.query(&lock, &wanted),
        )
        .unwrap();
        assert!(there.is_empty() && locked.is_empty(), "the target is empty");
        copy(&client, "COPY events FROM STDIN", share.events).await;
        copy(&client, "COPY tasks FROM STDIN", share.tasks).await;
        let (_, ()) = tokio::try_join!(
            biased;
            client.query(&count, &counted),
            client.batch_execute("COMMIT"),
        )
        .unwrap();
    }
}

async fn copy(client: &Client, sql: &str, rows: Bytes) {
    let mut sink = std::pin::pin!(client.copy_in(sql).await.unwrap());
    sink.send(rows).await.unwrap();
    sink.finish().await.unwrap();
}

async fn share(from: &Client, number: usize, shares: usize, batch: usize) -> Share {
    let events = format!(
        "SELECT * FROM events ORDER BY sent_at, id LIMIT {batch} OFFSET {}",
        number * batch
    );
    let tasks = format!(
        "SELECT * FROM tasks WHERE abs(hashtext(task_id)) % {shares} = {number} ORDER BY project_id, engine, task_id"
    );
    let keys = from
        .query(
            &format!("SELECT project_id, sent_at, id FROM ({events}) e ORDER BY 1, 2, 3"),
            &[],
        )
        .await
        .unwrap();
    let event_keys = (
        keys.iter().map(|row| row.get(0)).collect(),
        keys.iter().map(|row| row.get(1)).collect(),
        keys.iter().map(|row| row.get(2)).collect(),
    );
    let keys = from
        .query(
            &format!("SELECT project_id, engine, task_id FROM ({tasks}) t"),
            &[],
        )
        .await
        .unwrap();
    let task_keys = (
        keys.iter().map(|row| row.get(0)).collect(),
        keys.iter().map(|row| row.get(1)).collect(),
        keys.iter().map(|row| row.get(2)).collect(),
    );
    Share {
        events: rows(from, &events).await,
        event_keys,
        tasks: rows(from, &tasks).await,
        task_keys,
    }
}

async fn rows(from: &Client, query: &str) -> Bytes {
    let stream = from
        .copy_out(&format!("COPY ({query}) TO STDOUT"))
        .await
        .unwrap();
    let chunks: Vec<Bytes> = stream.try_collect().await.unwrap();
    chunks.concat().into()
}

async fn connect(database: &Database) -> Client {
    let (client, connection) = tokio_postgres::connect(database.url(), NoTls)
        .await
        .unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}
