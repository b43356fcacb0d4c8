//! What machines ask.

use axum::http::StatusCode;
use serde_json::json;
use z4j_brain::access::PasswordSignIn;

use crate::site::{Site, config};

#[tokio::test]
async fn health_says_that_the_process_answers_and_nothing_else() {
    let site = Site::empty().await;
    let answer = site.get("/health").send().await;
    assert_eq!(answer.json(), json!({ "status": "ok" }));
}

#[tokio::test]
async fn a_brain_that_does_not_run_is_not_ready_and_says_why() {
    let site = Site::idle(config(), PasswordSignIn::new(), |builder| builder);
    let answer = site.get("/health/ready").send().await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["status"], "not_ready");
    assert!(!answer.json()["reasons"].as_array().unwrap().is_empty());
    let running = Site::empty().await;
    let answer = running.get("/health/ready").send().await;
    assert_eq!(
        (answer.status, answer.json()["status"].as_str()),
        (StatusCode::OK, Some("ready"))
    );
}

#[tokio::test]
async fn metrics_open_to_their_token_only() {
    let closed = Site::empty().await;
    assert_eq!(
        closed.get("/metrics").send().await.status,
        StatusCode::NOT_FOUND
    );
    let site = Site::configured(|config| {
        config.server.metrics_token = Some("metrics-token-of-a-test-0123456789".into());
    })
    .await;
    let with = |bearer: &str| site.get("/metrics").header("authorization", bearer).send();
    for bearer in [
        "",
        "Bearer ",
        "Bearer wrong",
        "metrics-token-of-a-test-0123456789",
    ] {
        assert_eq!(
            with(bearer).await.status,
            StatusCode::UNAUTHORIZED,
            "{bearer}"
        );
    }
    let answer = with("Bearer metrics-token-of-a-test-0123456789").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=")
    );
    assert!(String::from_utf8_lossy(&answer.bytes).contains("z4j_agents_online 0"));
}
