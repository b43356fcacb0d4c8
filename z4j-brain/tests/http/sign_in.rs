//! Signing in with a password, and how a session ends.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;

use crate::site::{ADMIN, Answer, PASSWORD, Site};

async fn login(site: &Site, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    site.post("/api/v1/auth/login").json(&body).send().await
}

async fn is_in(site: &Site, cookie: &str) -> bool {
    let answer = site.get("/api/v1/auth/me").cookie(cookie).send().await;
    answer.status == StatusCode::OK
}

#[tokio::test]
async fn who_signed_in_learns_what_they_may_do() {
    let site = Site::new().await;
    let signed_in = login(&site, " Admin@Example.ORG ", PASSWORD).await;
    assert_eq!(signed_in.status, StatusCode::OK);
    assert_eq!(signed_in.json()["user"]["email"], ADMIN);
    let me = site
        .get("/api/v1/auth/me")
        .cookie(&signed_in.cookie())
        .send()
        .await
        .json();
    assert_eq!(me["user"]["is_admin"], true);
    assert_eq!(me["memberships"][0]["project"]["slug"], "default");
    assert_eq!(me["memberships"][0]["role"], "admin");
    let actions = me["memberships"][0]["actions"].as_array().unwrap();
    assert!(actions.contains(&json!("agent.mint")) && actions.contains(&json!("task.retry")));
    assert_eq!(
        me["server"]["now"].as_str().unwrap().len(),
        "2026-11-23T08:00:30.000000Z".len()
    );
}

#[tokio::test]
async fn login_uniform_unknown_person_and_wrong_password_are_told_apart_by_nothing() {
    let site = Site::new().await;
    let wrong = login(&site, ADMIN, "not the password at all").await;
    let unknown = login(&site, "nobody@example.org", "not the password at all").await;
    let empty = login(&site, "", "").await;
    for answer in [&wrong, &unknown, &empty] {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.error(), "bad_credentials");
        assert_eq!(answer.json()["message"], wrong.json()["message"]);
        assert_eq!(
            answer.headers.keys().collect::<Vec<_>>(),
            wrong.headers.keys().collect::<Vec<_>>()
        );
        assert!(answer.header("set-cookie").is_empty());
    }
}

#[tokio::test]
async fn cookie_flags_over_http_and_over_https() {
    let plain = Site::new().await;
    let cookie = login(&plain, ADMIN, PASSWORD)
        .await
        .header("set-cookie")
        .to_owned();
    assert!(
        cookie.starts_with("z4j_session=") && !cookie.contains("Secure"),
        "{cookie}"
    );
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/")
    );

    let secure = Site::configured(|config| {
        config.server.public_url = Some("https://z4j.example.org".into())
    })
    .await;
    let answer = login(&secure, ADMIN, PASSWORD).await;
    let cookie = answer.header("set-cookie").to_owned();
    assert!(
        cookie.starts_with("__Host-z4j_session=") && cookie.contains("Secure"),
        "{cookie}"
    );
    assert!(is_in(&secure, &answer.cookie()).await);
    let plain_name = answer.cookie().replace("__Host-", "");
    assert!(!is_in(&secure, &plain_name).await);
}

#[tokio::test]
async fn session_token_of_before_the_sign_in_is_never_taken_over() {
    let site = Site::new().await;
    let planted = format!("z4j_session={}", "A".repeat(43));
    let body = json!({ "email": ADMIN, "password": PASSWORD });
    let answer = site
        .post("/api/v1/auth/login")
        .cookie(&planted)
        .json(&body)
        .send()
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_ne!(answer.cookie(), planted);
    assert!(!is_in(&site, &planted).await);
    assert!(is_in(&site, &answer.cookie()).await);
}

#[tokio::test]
async fn session_end_comes_with_the_sign_out() {
    let site = Site::new().await;
    let (one, two) = (site.sign_in(ADMIN).await, site.sign_in(ADMIN).await);
    let answer = site.post("/api/v1/auth/logout").cookie(&one).send().await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert!(!is_in(&site, &one).await);
    assert!(is_in(&site, &two).await);
}

#[tokio::test]
async fn session_end_comes_with_the_next_sign_in_of_the_browser() {
    let site = Site::new().await;
    let (one, elsewhere) = (site.sign_in(ADMIN).await, site.sign_in(ADMIN).await);
    let again = |password: &str| {
        let body = json!({ "email": ADMIN, "password": password });
        let call = site.post("/api/v1/auth/login").cookie(&one).json(&body);
        call.send()
    };
    let refused = again("not the password at all").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(is_in(&site, &one).await, "a refused one ends nothing");
    let answer = again(PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!is_in(&site, &one).await);
    assert!(is_in(&site, &answer.cookie()).await);
    assert!(is_in(&site, &elsewhere).await);
    let chain = z4j_core::audit::ChainId::Instance;
    let entries = site.store.audit_range(chain, 0, 100).await.unwrap();
    assert_eq!(entries.last().unwrap().draft.action, "auth.logout");
}

#[tokio::test]
async fn session_end_comes_with_another_password() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    let operator = site.operator();
    operator
        .set_password(ADMIN, &"another-otter-entirely".into())
        .await
        .unwrap();
    assert!(!is_in(&site, &cookie).await);
    assert_eq!(
        login(&site, ADMIN, PASSWORD).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        login(&site, ADMIN, "another-otter-entirely").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn session_timeouts_end_what_is_idle_and_what_is_old() {
    let site = Site::new().await;
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let idle = site.sign_in(ADMIN).await;
    site.clock.advance(minutes(29));
    assert!(is_in(&site, &idle).await, "use moves the deadline");
    site.clock.advance(minutes(29));
    assert!(is_in(&site, &idle).await);
    site.clock.advance(minutes(31));
    assert!(!is_in(&site, &idle).await);

    let old = site.sign_in(ADMIN).await;
    for _ in 0..(7 * 24 * 60 / 29) {
        site.clock.advance(minutes(29));
        if !is_in(&site, &old).await {
            break;
        }
    }
    site.clock.advance(minutes(29));
    assert!(!is_in(&site, &old).await, "a week is the end of it");
}

#[tokio::test]
async fn session_timeouts_are_not_moved_by_what_a_page_asks_for_by_itself() {
    let site = Site::new().await;
    for (header, is_alive) in [("1", false), ("0", true)] {
        let cookie = site.sign_in(ADMIN).await;
        site.clock.advance(Duration::from_secs(20 * 60));
        let call = site.get("/api/v1/auth/me").cookie(&cookie);
        let answer = call.header("x-z4j-background", header).send().await;
        assert_eq!(answer.status, StatusCode::OK);
        site.clock.advance(Duration::from_secs(11 * 60));
        assert_eq!(is_in(&site, &cookie).await, is_alive, "{header}");
    }
}

#[tokio::test]
async fn session_timeouts_of_who_stays_signed_in_are_a_month() {
    let site = Site::new().await;
    let body = json!({ "email": ADMIN, "password": PASSWORD, "remember": true });
    let answer = site.post("/api/v1/auth/login").json(&body).send().await;
    assert!(answer.header("set-cookie").contains("Max-Age=2592000"));
    let day = Duration::from_secs(24 * 3600);
    site.clock.advance(29 * day);
    assert!(is_in(&site, &answer.cookie()).await);
    site.clock.advance(2 * day);
    assert!(!is_in(&site, &answer.cookie()).await);
}

#[tokio::test]
async fn audited_sign_in_refusal_and_sign_out_stand_in_the_instance_chain() {
    let site = Site::new().await;
    login(&site, ADMIN, "not the password at all").await;
    login(&site, "my-password-by-mistake", "x").await;
    let cookie = site.sign_in(ADMIN).await;
    site.post("/api/v1/auth/logout")
        .cookie(&cookie)
        .send()
        .await;
    let chain = z4j_core::audit::ChainId::Instance;
    let entries = site.store.audit_range(chain, 0, 100).await.unwrap();
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry.draft.action.as_str(),
                entry.draft.outcome.as_str(),
                entry.draft.target_id.as_str(),
            )
        })
        .collect();
    assert!(
        matches!(
            seen.as_slice(),
            [
                ("setup.completed", "ok", _),
                ("auth.login", "refused", "admin@example.org"),
                ("auth.login", "refused", "not an address"),
                ("auth.login", "ok", _),
                ("auth.logout", "ok", _),
            ]
        ),
        "{seen:?}"
    );
    let states = site.operator().verify_audit().await.unwrap();
    assert!(states.iter().all(|state| state.fault.is_none()));
}
