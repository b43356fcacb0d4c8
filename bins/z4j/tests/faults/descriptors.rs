//! More connections than a brain may have open files.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use z4j_core::task::TaskState;
use z4j_testkit::fake_agent::{FakeAgent, FakeTask};

use crate::brain::{Brain, status};
use crate::database::ready;
use crate::fleet::{self, Expected};
use crate::world::World;

/// What a brain may have open: itself, its database, and some connections.
const FILES_MAX: u32 = 96;
/// Connections of somebody who only holds them.
const FLOOD: usize = 200;
/// Well below the brain's own deadlines for who is slow.
const CLOSE_WAIT: Duration = Duration::from_secs(3);
const ACK_WAIT: Duration = Duration::from_secs(5);

/// The same command with a limit of its own on open files.
fn limited(command: &Command, files: u32) -> Command {
    let mut limited = Command::new("prlimit");
    limited
        .arg(format!("--nofile={files}:{files}"))
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

/// Connections that begin a request and never end it.
fn flood(port: u16) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // One that is closed already does not take it.
        let _ = stream.write_all(b"GET /health HTTP/1.1\r\n");
        stream.set_nonblocking(true).unwrap();
        stream
    };
    (0..FLOOD).map(connect).collect()
}

/// How many of these the other end has closed.
fn closed(streams: &mut [TcpStream]) -> usize {
    let is_closed = |stream: &mut TcpStream| match stream.read(&mut [0; 64]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    };
    streams
        .iter_mut()
        .filter_map(|stream| is_closed(stream).then_some(()))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brain_without_free_descriptors_closes_newcomers_and_serves_its_links() {
    let world = World::new(1).await;
    let brain = Brain::start_with(limited(&world.command(0), FILES_MAX), world.ports[0]);
    let mut agent = FakeAgent::connect(world.mint("early").remove(0))
        .await
        .unwrap();
    let fleet = world.fleet(2, 200);
    fleet.reach(1, 8).await;
    let mut streams = flood(brain.port);
    let began = Instant::now();
    while closed(&mut streams) < FLOOD - FILES_MAX as usize {
        assert!(
            began.elapsed() < CLOSE_WAIT,
            "newcomers are closed and do not wait"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let events = FakeTask::new("celery", "early-task", "shop.orders.confirm").fails();
    let batch = agent.send_events(&events).await.unwrap();
    agent.wait_ack(&batch, ACK_WAIT).await.unwrap();
    assert!(closed(&mut streams) < FLOOD, "the others still hold theirs");
    drop(streams);
    let mut expected = fleet.finish().await;
    expected.push(Expected::of("early-task", &events, TaskState::Failure, 0));
    // The brain frees the descriptors of those who left when it hears of it.
    ready(brain.port, 200).await;
    assert_eq!(status(brain.port, "/health", ""), Some(200));
    agent.close().await;
    brain.kill();
    fleet::check(&world.database.store().await, &expected).await;
}
