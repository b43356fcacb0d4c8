//! Agents' credentials over REST.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::{ADMIN, Answer, Site};

async fn mint(site: &Site, cookie: &str, slug: &str, name: &str) -> Answer {
    let path = format!("/api/v1/projects/{slug}/agents");
    site.post(&path)
        .cookie(cookie)
        .json(&json!({ "name": name }))
        .send()
        .await
}

async fn agents(site: &Site, cookie: &str) -> Vec<Value> {
    let list = site
        .get("/api/v1/projects/default/agents")
        .cookie(cookie)
        .send()
        .await;
    list.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_minted_agent_shows_its_secrets_once() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    let minted = mint(&site, &cookie, "default", " web ").await;
    assert_eq!(minted.status, StatusCode::CREATED);
    let body = minted.json();
    let (token, secret) = (
        body["token"].as_str().unwrap(),
        body["hmac_secret"].as_str().unwrap(),
    );
    assert!(token.starts_with("z4ja_") && token.len() == 54 && secret.len() == 44);
    assert_eq!(body["agent"]["name"], "web");
    assert_eq!(body["agent"]["state"], "never_connected");
    let listed = agents(&site, &cookie).await;
    assert_eq!(listed.len(), 1);
    let audit = site
        .get("/api/v1/projects/default/audit")
        .cookie(&cookie)
        .send()
        .await;
    for text in [listed[0].to_string(), audit.json().to_string()] {
        assert!(!text.contains(token) && !text.contains(secret));
    }
    assert_eq!(audit.json()["items"][0]["action"], "agent.token.minted");
    assert_eq!(
        audit.json()["chain"],
        json!({ "length": 1, "verified": true })
    );
}

#[tokio::test]
async fn a_name_is_free_again_when_its_agent_is_revoked() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    let first = mint(&site, &cookie, "default", "web").await.json();
    let taken = mint(&site, &cookie, "default", "web").await;
    assert_eq!(
        (taken.status, taken.error().as_str()),
        (StatusCode::CONFLICT, "name_taken")
    );
    let path = format!(
        "/api/v1/projects/default/agents/{}",
        first["agent"]["id"].as_str().unwrap()
    );
    for _ in 0..2 {
        let gone = site
            .call(Method::DELETE, &path)
            .cookie(&cookie)
            .send()
            .await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT, "again is no error");
    }
    assert_eq!(agents(&site, &cookie).await[0]["state"], "revoked");
    assert_eq!(
        mint(&site, &cookie, "default", "web").await.status,
        StatusCode::CREATED
    );
    let rotate = site
        .post(&format!("{path}/rotate"))
        .cookie(&cookie)
        .send()
        .await;
    assert_eq!(
        rotate.status,
        StatusCode::NOT_FOUND,
        "a revoked agent has no token to replace"
    );
}

#[tokio::test]
async fn rotation_gives_another_token_and_the_same_project_key() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    let first = mint(&site, &cookie, "default", "web").await.json();
    let path = format!(
        "/api/v1/projects/default/agents/{}/rotate",
        first["agent"]["id"].as_str().unwrap()
    );
    let rotated = site.post(&path).cookie(&cookie).send().await;
    assert_eq!(rotated.status, StatusCode::OK);
    assert_ne!(rotated.json()["token"], first["token"]);
    assert_eq!(rotated.json()["hmac_secret"], first["hmac_secret"]);
}

#[tokio::test]
async fn tenant_ids_of_another_project_name_nothing() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    site.project(&cookie, "other").await;
    let minted = mint(&site, &cookie, "other", "web").await.json();
    let id = minted["agent"]["id"].as_str().unwrap();
    for (method, path) in [
        (
            Method::DELETE,
            format!("/api/v1/projects/default/agents/{id}"),
        ),
        (
            Method::POST,
            format!("/api/v1/projects/default/agents/{id}/rotate"),
        ),
        (
            Method::DELETE,
            "/api/v1/projects/default/agents/no-id".to_owned(),
        ),
    ] {
        let answer = site.call(method, &path).cookie(&cookie).send().await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let list = site
        .get("/api/v1/projects/other/agents")
        .cookie(&cookie)
        .send()
        .await
        .json();
    assert_eq!(list["items"][0]["state"], "never_connected");
}

#[tokio::test]
async fn names_that_cannot_be_shown_are_refused() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    for name in ["", "   ", &"x".repeat(81), "a\u{0}b", "a\nb"] {
        let answer = mint(&site, &cookie, "default", name).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}");
        assert_eq!(answer.json()["details"]["members"], json!(["name"]));
    }
    assert_eq!(
        mint(&site, &cookie, "default", &"ü".repeat(80))
            .await
            .status,
        StatusCode::CREATED
    );
}
