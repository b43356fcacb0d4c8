//! One agent's link: the handshake, and what acks look like.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use futures_util::{SinkExt, StreamExt};
use secrecy::ExposeSecret as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use z4j_core::env::Env;
use z4j_core::keys::SecretKey;
use z4j_core::wire::{self, AgentStatus, FrameType, Heartbeat, Hello, SessionBinding, Signer};

use crate::credentials::Credentials;

/// A handshake that takes longer has failed.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(15);
/// Small, because thousands of links are idle; it grows with what is read.
const READ_BUFFER_BYTES: usize = 8 << 10;

/// The socket of a link.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A link after its handshake.
#[derive(Debug)]
pub(crate) struct Link {
    /// Its socket.
    pub(crate) socket: Socket,
    /// Signs what it sends.
    pub(crate) signer: Signer,
    /// How often the brain wants a sign of life.
    pub(crate) heartbeat: Duration,
}

impl Link {
    /// Connects and says hello. The error is one sentence that says what to look at.
    pub(crate) async fn connect(
        credentials: &Credentials,
        worker_id: &str,
    ) -> anyhow::Result<Self> {
        tokio::time::timeout(HANDSHAKE_WAIT, handshake(credentials, worker_id))
            .await
            .map_err(|_| anyhow!("{} did not finish the handshake", credentials.url))?
    }

    /// Signs an event_batch whose id holds `index` and hands it to the socket, without flushing.
    pub(crate) async fn feed_batch(&mut self, index: usize, payload: &str) -> anyhow::Result<()> {
        let id = format!("ev_{index:032x}");
        let frame = self
            .signer
            .sign_json(FrameType::EventBatch, &id, payload.as_bytes())?;
        Ok(self.socket.feed(Message::binary(frame)).await?)
    }

    /// Sends what a stock agent sends at each interval: a heartbeat and a status.
    pub(crate) async fn beat(&mut self) -> anyhow::Result<()> {
        let status = AgentStatus {
            agent_version: "1.13.0".into(),
            protocol_version: "2".into(),
            ..AgentStatus::default()
        };
        let beat = Heartbeat::default();
        let beat = self.signer.sign(FrameType::Heartbeat, "hb", &beat)?;
        let status = self.signer.sign(FrameType::AgentStatus, "st", &status)?;
        self.socket.feed(Message::binary(beat)).await?;
        self.socket.feed(Message::binary(status)).await?;
        Ok(self.socket.flush().await?)
    }
}

async fn handshake(credentials: &Credentials, worker_id: &str) -> anyhow::Result<Link> {
    let url = format!("{}/ws/agent", credentials.url.replacen("http", "ws", 1));
    let mut request = url.into_client_request()?;
    let bearer = format!("Bearer {}", credentials.token.expose_secret());
    let mut bearer: tungstenite::http::HeaderValue = bearer
        .parse()
        .map_err(|_| anyhow!("{} is no token", credentials.label))?;
    bearer.set_sensitive(true);
    request.headers_mut().insert("authorization", bearer);
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    // Without Nagle's algorithm, as the published agent.
    let (mut socket, _) = connect_async_with_config(request, Some(config), true)
        .await
        .map_err(|fault| refusal(credentials, fault))?;
    let env = Env::system();
    let id = wire::new_frame_id(FrameType::Hello, &env);
    let hello = wire::encode_hello(&id, &hello(worker_id))?;
    socket.send(Message::binary(hello)).await?;
    let answer = loop {
        match socket.next().await.context("no answer to hello")?? {
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(frame) => {
                let code = frame.map_or(1005, |frame| u16::from(frame.code));
                bail!(closed(credentials, code));
            }
            answer => break answer.into_data(),
        }
    };
    let ack = wire::decode_hello_ack(&answer)
        .map_err(|_| anyhow!("{} answered hello with something else", credentials.url))?;
    let binding = SessionBinding {
        agent_id: ack.agent_id,
        project_id: ack.project_id,
        session_id: ack.session_id,
    };
    let key = SecretKey::from_hmac_secret(credentials.hmac_secret.expose_secret())
        .map_err(|_| anyhow!("{} has no usable HMAC secret", credentials.label))?;
    Ok(Link {
        socket,
        signer: Signer::new(&key, binding, env),
        heartbeat: Duration::from_secs(u64::from(ack.heartbeat_interval_seconds)),
    })
}

fn refusal(credentials: &Credentials, fault: tungstenite::Error) -> anyhow::Error {
    let Credentials { url, label, .. } = credentials;
    match fault {
        tungstenite::Error::Http(answer) => match answer.status().as_u16() {
            401 | 403 => anyhow!("{url} refused the credentials from {label}"),
            503 => anyhow!("the brain at {url} is not ready"),
            status => {
                anyhow!("{url}/ws/agent answered {status}: is this the base URL of a z4j brain?")
            }
        },
        tungstenite::Error::Io(fault) => anyhow!("no brain answers at {url}: {fault}"),
        fault => anyhow!("{url} is not a brain that can be connected to: {fault}"),
    }
}

fn closed(credentials: &Credentials, code: u16) -> anyhow::Error {
    let Credentials { url, label, .. } = credentials;
    match code {
        4401 | 4403 => anyhow!("{url} refused the credentials from {label} ({code})"),
        4429 => anyhow!("{url} takes no more connections with the credentials from {label} (4429)"),
        code => anyhow!("{url} closed a link during the handshake ({code})"),
    }
}

/// The index in the acknowledged frame's id. The ack's MAC is not checked: the driver shall cost as little as it can.
pub(crate) fn acked_index(message: &Message) -> anyhow::Result<Option<usize>> {
    const MEMBER: &[u8] = br#""acked_id":"ev_"#;
    const SPACED: &[u8] = br#""acked_id": "ev_"#;
    let bytes: &[u8] = match message {
        Message::Binary(bytes) => bytes,
        Message::Text(text) => text.as_bytes(),
        Message::Close(frame) => bail!("the brain closed the link: {frame:?}"),
        _ => return Ok(None),
    };
    let after = |member: &[u8]| {
        let at = bytes.windows(member.len()).position(|part| part == member);
        at.map(|at| at + member.len())
    };
    let Some(at) = after(MEMBER).or_else(|| after(SPACED)) else {
        return Ok(None);
    };
    let digits = bytes.get(at..at + 32).context("a short ack id")?;
    let digits = std::str::from_utf8(digits)?;
    Ok(Some(usize::from_str_radix(digits, 16)?))
}

fn hello(worker_id: &str) -> Hello {
    let mut hello = Hello::new("1.13.0", "bare");
    hello.engines = vec!["celery".into()];
    let able = ["retry_task", "cancel_task", "retry_by_reference_v1"];
    let able = able.map(str::to_owned).to_vec();
    hello.capabilities = [("celery".to_owned(), able)].into();
    hello.worker_id = Some(worker_id.into());
    hello
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ack_is_read_in_either_spelling_and_other_frames_are_none() {
        let id = format!("{:032x}", 77);
        for text in [
            format!(r#"{{"payload":{{"acked_id":"ev_{id}","received":1}}}}"#),
            format!(r#"{{"payload": {{"acked_id": "ev_{id}"}}}}"#),
        ] {
            assert_eq!(acked_index(&Message::text(text)).unwrap(), Some(77));
        }
        assert_eq!(acked_index(&Message::text("{}")).unwrap(), None);
        assert!(acked_index(&Message::Close(None)).is_err());
    }
}
