//! How often sign-in and set-up may be tried.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use serde_json::json;

use crate::site::{ADMIN, Answer, PASSWORD, Site};

async fn login(site: &Site, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    site.post("/api/v1/auth/login").json(&body).send().await
}

#[tokio::test]
async fn eleventh_try_at_an_account_waits_and_is_let_in_later() {
    let site = Site::new().await;
    for _ in 0..10 {
        assert_eq!(
            login(&site, ADMIN, "wrong-wrong-wrong").await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    let answer = login(&site, ADMIN, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.error(), "too_many_attempts");
    let seconds = answer.json()["details"]["retry_after_seconds"]
        .as_u64()
        .unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(answer.header("retry-after"), seconds.to_string());
    site.clock.advance(Duration::from_secs(seconds));
    assert_eq!(login(&site, ADMIN, PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn twenty_first_try_of_an_address_waits_whoever_it_tries_to_be() {
    let site = Site::new().await;
    for n in 0..20 {
        let answer = login(&site, &format!("p{n}@example.org"), "wrong-wrong-wrong").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{n}");
    }
    assert_eq!(
        login(&site, ADMIN, PASSWORD).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    site.clock.advance(Duration::from_secs(3));
    assert_eq!(login(&site, ADMIN, PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn set_up_takes_five_tries() {
    let site = Site::empty().await;
    let body = json!({ "token": "guess", "email": ADMIN, "password": PASSWORD });
    let guess = || site.post("/api/v1/setup/complete").json(&body).send();
    for _ in 0..5 {
        assert_eq!(guess().await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(guess().await.status, StatusCode::TOO_MANY_REQUESTS);
    site.clock.advance(Duration::from_secs(180));
    assert_eq!(guess().await.status, StatusCode::FORBIDDEN);
}

/// Behind a proxy on the same machine everybody has the proxy's address.
#[tokio::test]
async fn strangers_behind_a_proxy_on_this_machine_lock_nobody_else_out() {
    let site = Site::new().await;
    for proxy in ["127.0.0.1:1000", "[::1]:1000"] {
        for n in 0..25 {
            let body =
                json!({ "email": format!("p{n}@example.org"), "password": "wrong-wrong-wrong" });
            let call = site.post("/api/v1/auth/login").from(proxy).json(&body);
            assert_eq!(call.send().await.status, StatusCode::UNAUTHORIZED, "{n}");
        }
        let body = json!({ "email": ADMIN, "password": PASSWORD });
        let call = site.post("/api/v1/auth/login").from(proxy).json(&body);
        assert_eq!(call.send().await.status, StatusCode::OK);
        site.clock.advance(Duration::from_secs(61));
    }
}

#[tokio::test]
async fn set_up_behind_a_proxy_on_this_machine_is_limited_for_all_together() {
    let site = Site::empty().await;
    let body = json!({ "token": "guess", "email": ADMIN, "password": PASSWORD });
    let guess = || {
        let call = site.post("/api/v1/setup/complete").from("127.0.0.1:1000");
        call.json(&body).send()
    };
    for n in 0..30 {
        assert_eq!(guess().await.status, StatusCode::FORBIDDEN, "{n}");
    }
    assert_eq!(guess().await.status, StatusCode::TOO_MANY_REQUESTS);
    site.clock.advance(Duration::from_secs(1));
    assert_eq!(guess().await.status, StatusCode::FORBIDDEN);
}

/// An embedder's own server tells addresses the usual way; each address then has its own tries.
#[tokio::test]
async fn addresses_are_told_apart() {
    let site = Site::new().await;
    let from = |address: &'static str, email: String| {
        let router = site.brain.router();
        async move {
            use tower::ServiceExt as _;
            let body = json!({ "email": email, "password": "wrong-wrong-wrong" }).to_string();
            let request = axum::http::Request::post("/api/v1/auth/login")
                .header("host", "localhost")
                .header("content-type", "application/json")
                .extension(ConnectInfo(address.parse::<SocketAddr>().unwrap()))
                .body(axum::body::Body::from(body))
                .unwrap();
            router.oneshot(request).await.unwrap().status()
        }
    };
    let first = from("192.0.2.1:1000", "a@example.org".to_owned()).await;
    let second = from("192.0.2.2:1000", "b@example.org".to_owned()).await;
    assert_eq!(
        (first, second),
        (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED)
    );
    let chain = z4j_core::audit::ChainId::Instance;
    let entries = site.store.audit_range(chain, 0, 10).await.unwrap();
    let origins: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.draft.origin.clone())
        .collect();
    assert_eq!(origins, ["192.0.2.1", "192.0.2.2"]);
}
