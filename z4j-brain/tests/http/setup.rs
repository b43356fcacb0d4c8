//! Making the first admin.

use std::time::Duration;

use axum::http::StatusCode;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::site::{ADMIN, Answer, PASSWORD, Site};

async fn invite(site: &Site) -> String {
    let invite = site.operator().setup_invite().await.unwrap().unwrap();
    invite.token.expose_secret().to_owned()
}

async fn complete(site: &Site, token: &str, password: &str) -> Answer {
    let body =
        json!({ "token": token, "email": ADMIN, "password": password, "display_name": "Ada" });
    site.post("/api/v1/setup/complete").json(&body).send().await
}

async fn is_needed(site: &Site) -> Value {
    site.get("/api/v1/setup/status").send().await.json()["needed"].clone()
}

#[tokio::test]
async fn the_invitation_makes_the_admin_once_and_signs_in() {
    let site = Site::empty().await;
    assert_eq!(is_needed(&site).await, true);
    let token = invite(&site).await;
    assert!(token.len() >= 43, "256 bits");
    let answer = complete(&site, &token, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.json()["user"]["display_name"], "Ada");
    let projects = site
        .get("/api/v1/projects")
        .cookie(&answer.cookie())
        .send()
        .await
        .json();
    assert_eq!(projects["items"][0]["slug"], "default");
    assert_eq!(projects["items"][0]["role"], "admin");

    assert_eq!(is_needed(&site).await, false);
    let again = complete(&site, &token, PASSWORD).await;
    assert_eq!(
        (again.status, again.error().as_str()),
        (StatusCode::CONFLICT, "setup_done")
    );
    assert!(site.operator().setup_invite().await.unwrap().is_none());
}

#[tokio::test]
async fn the_invitation_stays_the_same_while_it_is_valid_and_then_lapses() {
    let site = Site::empty().await;
    let token = invite(&site).await;
    site.clock.advance(Duration::from_secs(14 * 60));
    assert_eq!(invite(&site).await, token);
    site.clock.advance(Duration::from_secs(60));
    let late = complete(&site, &token, PASSWORD).await;
    assert_eq!(
        (late.status, late.error().as_str()),
        (StatusCode::FORBIDDEN, "setup_token_invalid")
    );
    let next = invite(&site).await;
    assert_ne!(next, token);
    assert_eq!(
        complete(&site, &next, PASSWORD).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn a_guess_and_a_weak_password_change_nothing() {
    let site = Site::empty().await;
    let token = invite(&site).await;
    let guess = complete(&site, &token.to_lowercase(), PASSWORD).await;
    assert_eq!(guess.error(), "setup_token_invalid");
    let weak = complete(&site, &token, "password2026").await;
    assert_eq!(
        (weak.status, weak.error().as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "weak_password")
    );
    assert_eq!(weak.json()["details"]["reason"], "too_common");
    let own = complete(&site, &token, "admin-example-org").await;
    assert_eq!(own.error(), "weak_password");
    let body = json!({ "token": token, "email": "no address", "password": PASSWORD });
    let email = site.post("/api/v1/setup/complete").json(&body).send().await;
    assert_eq!(email.json()["details"]["members"], json!(["email"]));
    assert_eq!(is_needed(&site).await, true);
    assert_eq!(
        complete(&site, &token, PASSWORD).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn of_two_at_once_one_wins() {
    let site = Site::empty().await;
    let token = invite(&site).await;
    let (one, two) = tokio::join!(
        complete(&site, &token, PASSWORD),
        complete(&site, &token, PASSWORD)
    );
    let mut seen = [one.status.as_u16(), two.status.as_u16()];
    seen.sort_unstable();
    assert_eq!(seen, [201, 409]);
}

#[tokio::test]
async fn without_the_invitation_nobody_is_made() {
    let site = Site::empty().await;
    let answer = complete(&site, "", PASSWORD).await;
    assert_eq!(answer.error(), "setup_token_invalid");
    assert_eq!(is_needed(&site).await, true);
}
