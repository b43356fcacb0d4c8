//! Agents as a load: signed frames out, acknowledgements in, times kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use z4j_core::env::Env;
use z4j_core::keys::SecretKey;
use z4j_core::wire::{self, FrameType, Hello, SessionBinding, Signer};

use crate::client::Credentials;
use crate::events::BenchEvent;
use crate::ingest::own_cpu_seconds;

/// No run may take longer than this: an ack that never comes is a result, not a wait.
const RUN_TIME_MAX: Duration = Duration::from_secs(180);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The shape of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Sockets.
    pub(crate) connections: usize,
    /// Events in each frame.
    pub(crate) events_per_frame: usize,
    /// Frames without an ack on one socket, at most.
    pub(crate) in_flight_max: usize,
}

/// What a run gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Events acknowledged; all that were sent.
    pub(crate) events: usize,
    /// First send to last ack.
    pub(crate) took: Duration,
    /// Median time from a frame's send to its ack.
    pub ack_p50: Duration,
    /// The same for one frame in a hundred.
    pub ack_p99: Duration,
    /// CPU time of this process.
    pub(crate) driver_cpu_seconds: f64,
}

/// Sends `events` over the connections of `load`, a task's events all on one of them, and waits for every ack.
pub(crate) async fn drive(
    credentials: &[Credentials],
    load: Load,
    events: Vec<BenchEvent>,
) -> anyhow::Result<Outcome> {
    let total = events.len();
    let mut links = Vec::with_capacity(load.connections);
    for (index, payloads) in payloads(load, events).into_iter().enumerate() {
        let credentials = credentials
            .get(index % credentials.len())
            .context("no credentials")?;
        let (socket, signer) = connect(credentials, &format!("bench-{index}")).await?;
        links.push((socket, signer, payloads));
    }
    let (began, cpu_before) = (Instant::now(), own_cpu_seconds());
    let runs: Vec<_> = links
        .into_iter()
        .map(|(socket, signer, payloads)| {
            tokio::spawn(tokio::time::timeout(
                RUN_TIME_MAX,
                run_link(socket, signer, payloads, load.in_flight_max),
            ))
        })
        .collect();
    let mut times = Histogram::<u64>::new(3)?;
    for run in runs {
        times.add(
            run.await?
                .context("not every frame was acknowledged in time")??,
        )?;
    }
    Ok(Outcome {
        events: total,
        took: began.elapsed(),
        ack_p50: Duration::from_micros(times.value_at_quantile(0.5)),
        ack_p99: Duration::from_micros(times.value_at_quantile(0.99)),
        driver_cpu_seconds: own_cpu_seconds() - cpu_before,
    })
}

/// Frame payloads for each connection, rendered before the clock starts.
fn payloads(load: Load, events: Vec<BenchEvent>) -> Vec<Vec<String>> {
    let mut lanes: Vec<Vec<BenchEvent>> = vec![Vec::new(); load.connections];
    for event in events {
        let sum: usize = event.task_id.bytes().map(usize::from).sum();
        lanes[sum % load.connections].push(event);
    }
    lanes
        .iter()
        .map(|lane| lane.chunks(load.events_per_frame).map(payload).collect())
        .collect()
}

fn payload(events: &[BenchEvent]) -> String {
    let mut out = String::from(r#"{"events":["#);
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        event.write(&mut out);
    }
    out.push_str("]}");
    out
}

async fn run_link(
    mut socket: Socket,
    mut signer: Signer,
    payloads: Vec<String>,
    in_flight_max: usize,
) -> anyhow::Result<Histogram<u64>> {
    let mut times = Histogram::<u64>::new(3)?;
    let mut sent_at = Vec::with_capacity(payloads.len());
    let mut acked = 0;
    while acked < payloads.len() {
        while sent_at.len() < payloads.len() && sent_at.len() - acked < in_flight_max {
            let index = sent_at.len();
            let frame = signer.sign_json(
                FrameType::EventBatch,
                &format!("ev_{index:032x}"),
                payloads[index].as_bytes(),
            )?;
            socket.feed(Message::binary(frame)).await?;
            sent_at.push(Instant::now());
        }
        socket.flush().await?;
        let message = socket.next().await.context("the brain closed the link")??;
        if let Some(index) = acked_index(&message)? {
            acked += 1;
            let began = sent_at
                .get(index)
                .context("an ack for a frame that was not sent")?;
            times.record(u64::try_from(began.elapsed().as_micros())?)?;
        }
    }
    socket.close(None).await?;
    Ok(times)
}

/// The index in the acknowledged frame's id. The ack's MAC is not checked: the driver shall cost as little as it can.
fn acked_index(message: &Message) -> anyhow::Result<Option<usize>> {
    const MEMBER: &[u8] = br#""acked_id":"ev_"#;
    let bytes: &[u8] = match message {
        Message::Binary(bytes) => bytes,
        Message::Text(text) => text.as_bytes(),
        Message::Close(frame) => bail!("the brain closed the link: {frame:?}"),
        _ => return Ok(None),
    };
    let Some(at) = bytes
        .windows(MEMBER.len())
        .position(|window| window == MEMBER)
    else {
        return Ok(None);
    };
    let digits = bytes
        .get(at + MEMBER.len()..at + MEMBER.len() + 32)
        .context("a short ack id")?;
    Ok(Some(usize::from_str_radix(
        std::str::from_utf8(digits)?,
        16,
    )?))
}

async fn connect(credentials: &Credentials, worker_id: &str) -> anyhow::Result<(Socket, Signer)> {
    let url = format!("{}/ws/agent", credentials.url.replacen("http", "ws", 1));
    let mut request = url.into_client_request()?;
    let bearer = format!("Bearer {}", credentials.token).parse()?;
    request.headers_mut().insert("authorization", bearer);
    let (mut socket, _) = connect_async(request).await?;
    let env = Env::system();
    let id = wire::new_frame_id(FrameType::Hello, &env);
    socket
        .send(Message::binary(wire::encode_hello(&id, &hello(worker_id))?))
        .await?;
    let answer = socket.next().await.context("no answer to hello")??;
    let (Message::Binary(_) | Message::Text(_)) = &answer else {
        bail!("hello was answered with {answer:?}");
    };
    let ack = wire::decode_hello_ack(&answer.into_data())?;
    let binding = SessionBinding {
        agent_id: ack.agent_id,
        project_id: ack.project_id,
        session_id: ack.session_id,
    };
    let key = SecretKey::from_hmac_secret(&credentials.hmac_secret)?;
    Ok((socket, Signer::new(&key, binding, env)))
}

fn hello(worker_id: &str) -> Hello {
    Hello {
        protocol_version: "2".into(),
        agent_version: "1.13.0".into(),
        framework: "bare".into(),
        engines: vec!["celery".into()],
        schedulers: Vec::new(),
        capabilities: [("celery".to_owned(), vec!["retry_task".to_owned()])].into(),
        host: wire::HostInfo::default(),
        worker_id: Some(worker_id.into()),
        worker_role: None,
        worker_pid: None,
        worker_started_at: None,
        runtime_features: Vec::new(),
    }
}

/// A connected agent that says nothing more.
#[derive(Debug)]
pub(crate) struct IdleLink {
    open: Arc<AtomicBool>,
    reader: tokio::task::JoinHandle<()>,
}

impl IdleLink {
    /// Connects and says hello; pings are answered from then on.
    pub(crate) async fn open(credentials: &Credentials, worker_id: &str) -> anyhow::Result<Self> {
        let (mut socket, _) = connect(credentials, worker_id).await?;
        let open = Arc::new(AtomicBool::new(true));
        let flag = Arc::clone(&open);
        let reader = tokio::spawn(async move {
            while let Some(Ok(_)) = socket.next().await {}
            flag.store(false, Ordering::Release);
        });
        Ok(Self { open, reader })
    }

    /// Whether the brain still holds the link.
    #[must_use]
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }
}

impl Drop for IdleLink {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
