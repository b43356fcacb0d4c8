//! What the driver itself reaches: the same agents against a server in a process of its own that acknowledges every
//! frame at once and does nothing else. A brain's number near this one says more about the driver than about the brain.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use futures_util::{FutureExt, SinkExt, StreamExt};
use secrecy::SecretString;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use z4j_core::wire::{self, HelloAck};

use crate::credentials::Credentials;
use crate::driver::{Load, Outcome, connect_all, drive};
use crate::ingest::work;
use crate::meter::Watched;
use crate::payload::lanes;
use crate::report::Report;

/// Which shapes to drive.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Connections of each run
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 50, 200])]
    connections: Vec<usize>,
    /// Events in each frame
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100])]
    events_per_frame: Vec<usize>,
    /// Seconds of each run
    #[arg(long, default_value_t = 2)]
    seconds: u64,
}

/// Drives every shape.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("driver-ceiling");
    for connections in &options.connections {
        for events_per_frame in &options.events_per_frame {
            let load = Load {
                connections: *connections,
                events_per_frame: *events_per_frame,
                time_max: Duration::from_secs(options.seconds),
            };
            line(&mut report, load).await?;
        }
    }
    report.note("the server that does nothing has a process of its own and shares the machine; its columns are brain_*");
    Ok(report)
}

/// Measures one shape and adds its line.
pub(crate) async fn line(report: &mut Report, load: Load) -> anyhow::Result<()> {
    let acceptor = Acceptor::start()?;
    let outcome = acceptor.drive(load).await?;
    let name = format!(
        "driver ceiling {}x{}",
        load.connections, load.events_per_frame
    );
    let mut values = vec![
        ("events_per_s", outcome.events_per_second()),
        ("ack_p50_ms", outcome.ack_ms(0.5)),
        ("ack_p99_ms", outcome.ack_ms(0.99)),
    ];
    values.extend(outcome.costs.columns());
    report.line(name, &values);
    Ok(())
}

/// The server that does nothing, as a process. Dropped, it is killed.
struct Acceptor {
    child: Child,
    url: String,
}

impl Acceptor {
    fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("acceptor")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the server that does nothing could not be started")?;
        let mut port = String::new();
        let stdout = child.stdout.take().context("no output")?;
        BufReader::new(stdout).read_line(&mut port)?;
        let url = format!("http://127.0.0.1:{}", port.trim());
        Ok(Self { child, url })
    }

    async fn drive(&self, load: Load) -> anyhow::Result<Outcome> {
        let credentials = credentials_for(&self.url);
        let links = connect_all(&[credentials], load.connections).await?;
        // More than it can take in the time, within reason of memory.
        let seconds = load.time_max.as_secs().max(1);
        let per_second = if load.events_per_frame == 1 {
            15_000
        } else {
            60_000
        };
        let events = work(per_second * seconds);
        let lanes = lanes(load.connections, load.events_per_frame, events);
        let watched = Watched {
            brain: Some(self.child.id()),
            postgres: None,
        };
        drive(links, lanes, load, watched).await
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Any credentials: nobody looks at them.
pub(crate) fn credentials_for(url: &str) -> Credentials {
    Credentials {
        url: url.to_owned(),
        label: "the server that does nothing".to_owned(),
        token: SecretString::from("nobody"),
        hmac_secret: SecretString::from(format!("{}=", "A".repeat(43))),
    }
}

/// Serves until standard input ends; says its port on standard output.
pub(crate) async fn accept() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    std::thread::spawn(|| {
        // Ends when the process that holds the other end is gone, however it went.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    acknowledge(listener).await
}

/// Acknowledges every frame of everybody.
pub(crate) async fn acknowledge(listener: TcpListener) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream));
    }
}

async fn serve(stream: TcpStream) -> anyhow::Result<()> {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    let _hello = socket.next().await.context("no hello")??;
    let zero = uuid::Uuid::nil();
    let ack: HelloAck = serde_json::from_value(serde_json::json!({
        "protocol_version": "2",
        "brain_version": "",
        "agent_id": zero,
        "project_id": zero,
        "session_id": zero,
    }))?;
    socket
        .send(Message::binary(wire::encode_hello_ack("ack", &ack)?))
        .await?;
    while let Some(message) = socket.next().await {
        let mut next = Some(message?);
        while let Some(message) = next {
            if let Some(id) = batch_id(&message) {
                socket.feed(Message::binary(answer(id))).await?;
            }
            next = socket.next().now_or_never().flatten().transpose()?;
        }
        socket.flush().await?;
    }
    Ok(())
}

/// The id of an event_batch, which stands near its start.
fn batch_id(message: &Message) -> Option<&str> {
    const MEMBER: &[u8] = br#""id":""#;
    let Message::Binary(bytes) = message else {
        return None;
    };
    let head = bytes.get(..bytes.len().min(256))?;
    let at = head.windows(MEMBER.len()).position(|part| part == MEMBER)? + MEMBER.len();
    let id = std::str::from_utf8(head.get(at..at + 35)?).ok()?;
    id.starts_with("ev_").then_some(id)
}

/// As large as a brain's ack; nobody checks its MAC.
fn answer(id: &str) -> String {
    let mac = "0".repeat(64);
    format!(
        r#"{{"hmac":"{mac}","id":"ack_{}","nonce":"AAAAAAAAAAAAAAAAAAAAAA","payload":{{"accepted":1,"acked_id":"{id}","received":1,"rejected":0}},"seq":1,"ts":"2026-01-01T00:00:00.000000Z","type":"event_batch_ack","v":2}}"#,
        &id[3..]
    )
}
