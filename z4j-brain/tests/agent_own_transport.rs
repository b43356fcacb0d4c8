//! Agents that come over a transport of the embedder's own, which may drop a link at any moment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::future_not_send,
    reason = "a test program: a failure is a panic"
)]

mod common;

use async_trait::async_trait;
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use bytes::Bytes;
use common::commands::{CANCEL, RETRY, about, failed_task, id_of, running_task, settled};
use common::{WAIT, agent_when, brain};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderMap;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use z4j_brain::Brain;
use z4j_core::transport::{
    CloseReason, FrameSink, FrameSource, Link, PeerInfo, TransportError, TransportErrorKind,
};
use z4j_testkit::fake_agent::{FakeAgent, FakeAgentConfig};

#[derive(Debug)]
struct Sends(SplitSink<WebSocket, Message>);

#[derive(Debug)]
struct Receives(SplitStream<WebSocket>);

#[async_trait]
impl FrameSink for Sends {
    async fn send(&mut self, frame: Bytes) -> Result<(), TransportError> {
        let sent = self.0.send(Message::Binary(frame)).await;
        sent.map_err(|_| TransportError::new(TransportErrorKind::Unreachable))
    }

    async fn close(&mut self, _: CloseReason) -> Result<(), TransportError> {
        let closed = self.0.close().await;
        closed.map_err(|_| TransportError::new(TransportErrorKind::Unreachable))
    }
}

#[async_trait]
impl FrameSource for Receives {
    async fn recv(&mut self) -> Result<Option<Bytes>, TransportError> {
        Ok(match self.0.next().await {
            Some(Ok(Message::Text(text))) => Some(text.into()),
            Some(Ok(Message::Binary(bytes))) => Some(bytes),
            _ => None,
        })
    }
}

/// A server of the embedder's own that gives its links to `brain`; tells of each how to drop it.
async fn door(brain: &Brain) -> (String, mpsc::Receiver<AbortHandle>) {
    let (opened, links) = mpsc::channel(1);
    let brain = brain.clone();
    let take = move |headers: HeaderMap, upgrade: WebSocketUpgrade| {
        let (brain, opened) = (brain.clone(), opened.clone());
        let token = headers["authorization"].to_str().unwrap().to_owned();
        async move {
            upgrade.on_upgrade(move |socket| async move {
                let (sink, source) = socket.split();
                let link = Link {
                    sink: Box::new(Sends(sink)),
                    source: Box::new(Receives(source)),
                    peer: PeerInfo::default(),
                };
                let token = token.trim_start_matches("Bearer ");
                let serving = tokio::spawn(brain.serve_link(link, token));
                let _ = opened.send(serving.abort_handle()).await;
            })
        }
    };
    let app = Router::new().route("/ws/agent", any(take));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, links)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_whose_future_is_dropped_is_lost_like_one_that_was_cut() {
    let (_directory, brain) = brain().await;
    let (url, mut links) = door(brain.brain()).await;
    let credentials = brain.mint("worker").await.unwrap();
    let (token, secret) = (&credentials.token, &credentials.hmac_secret);
    let config = FakeAgentConfig::new(&url, token.expose_secret(), secret.expose_secret());
    let mut first = FakeAgent::connect(config.unwrap()).await.unwrap();
    let serving = links.recv().await.unwrap();
    failed_task(&mut first, "over").await;
    running_task(&mut first, "running").await;
    let rest = brain.sign_in().await.unwrap();
    let retry = id_of(&rest.post(RETRY, &about("over")).await.unwrap());
    first.wait_command(WAIT).await.unwrap();
    let cancel = id_of(&rest.post(CANCEL, &about("running")).await.unwrap());
    first.wait_command(WAIT).await.unwrap();
    agent_when(&brain, &credentials, "the agent is online", |row| {
        row.links.len() == 1
    })
    .await;

    serving.abort();
    settled(&rest, &retry, "unknown").await;
    agent_when(&brain, &credentials, "the agent is offline", |row| {
        row.links.is_empty()
    })
    .await;
    let mut second = FakeAgent::connect(brain.config_of(&credentials).unwrap())
        .await
        .unwrap();
    let command = second.wait_command(WAIT).await.unwrap();
    assert_eq!(
        command.id, cancel,
        "what is safe to repeat is not left to its deadline"
    );
}
