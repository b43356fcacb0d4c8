//! A brain below a path of somebody else's service.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::future_not_send,
    reason = "a test program: a failure is a panic"
)]

mod common;

use std::net::SocketAddr;

use axum::Router;
use common::{WAIT, sqlite, works};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use z4j_brain::Brain;
use z4j_brain::access::PasswordSignIn;
use z4j_brain::config::BrainSecrets;
use z4j_testkit::fake_agent::{FakeAgent, FakeAgentConfig, FakeAgentError};

const SECRET: &str = "a secret of a test brain that is long enough";

#[tokio::test(flavor = "multi_thread")]
async fn a_nested_brain_takes_agents_while_it_runs_and_turns_them_away_before_and_after() {
    let (_directory, store) = sqlite();
    let secrets = BrainSecrets {
        master: SecretString::from(SECRET),
        session: SecretString::from(SECRET),
        audit: SecretString::from(SECRET),
    };
    let brain = Brain::builder(store, secrets, PasswordSignIn::new())
        .build()
        .unwrap();
    let app = Router::new().nest("/tools/z4j", brain.router());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/tools/z4j", listener.local_addr().unwrap());
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await });
    let password = SecretString::from("correct horse battery staple 4711");
    brain
        .operator()
        .bootstrap_admin("admin@example.org", &password)
        .await
        .unwrap();
    let minted = brain
        .operator()
        .mint_agent("default", "nested")
        .await
        .unwrap();
    let (token, key) = (
        minted.token.expose_secret(),
        minted.hmac_secret.expose_secret(),
    );
    let connect = || FakeAgent::connect(FakeAgentConfig::new(&url, token, key).unwrap());

    let early = connect().await.unwrap_err();
    assert!(matches!(early, FakeAgentError::Refused(503)), "{early}");
    let stop = CancellationToken::new();
    let running = tokio::spawn(brain.clone().run(stop.clone()));
    let mut agent =
        common::eventually("the brain takes agents", || async { connect().await.ok() }).await;
    works(&mut agent, "nested").await;
    stop.cancel();
    assert_eq!(agent.wait_close(WAIT).await.unwrap(), Some(1001));
    running.await.unwrap().unwrap();
    let late = connect().await.unwrap_err();
    assert!(matches!(late, FakeAgentError::Refused(503)), "{late}");
    serving.abort();
}

#[test]
fn a_brain_that_cannot_work_says_everything_that_is_wrong_at_once() {
    let (_directory, store) = sqlite();
    let short = || SecretString::from("short");
    let secrets = BrainSecrets {
        master: short(),
        session: SecretString::from(SECRET),
        audit: short(),
    };
    let mut config = z4j_brain::config::BrainConfig::default();
    config.agents.handshakes_max = 0;
    let error = Brain::builder(store, secrets, PasswordSignIn::new())
        .with_config(config)
        .build()
        .unwrap_err();
    let problems = error.problems().join("\n");
    assert_eq!(error.problems().len(), 3, "{problems}");
    for part in ["handshake", "master secret", "audit secret"] {
        assert!(problems.contains(part), "{problems}");
    }
}
