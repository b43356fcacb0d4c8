//! One shape of errors, whoever refuses, and the headers of every answer.

use async_trait::async_trait;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use serde_json::json;
use z4j_brain::access::{AccessContext, AccessError, AccessPolicy, Principal};

use crate::site::{ADMIN, Answer, PASSWORD, Site};

/// Four members and nothing else, the id of the header, and the headers that every answer has.
fn assert_shape(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    let body = answer.json();
    let members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["details", "error", "message", "request_id"]);
    assert_eq!(body["error"], error);
    assert!(body["message"].as_str().unwrap().ends_with('.'), "{body}");
    assert!(body["details"].is_object());
    assert_eq!(body["request_id"], answer.header("x-request-id"));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_protected(answer);
    assert_eq!(answer.header("cache-control"), "no-store");
}

fn assert_protected(answer: &Answer) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), value, "{name} of {answer:?}");
    }
    assert!(
        answer
            .header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert!(
        !answer
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("access-control-"))
    );
}

#[tokio::test]
async fn what_is_not_there_has_the_shape() {
    let site = Site::new().await;
    for path in [
        "/api",
        "/api/",
        "/api/nope",
        "/api/v1",
        "/api/v1/nope",
        "/api/v2/projects",
    ] {
        assert_shape(&site.get(path).send().await, 404, "not_found");
    }
    let answer = site.post("/api/v1/nope").send().await;
    assert_shape(&answer, 404, "not_found");
}

#[tokio::test]
async fn another_method_has_the_shape_and_names_the_right_ones() {
    let site = Site::new().await;
    let answer = site.call(Method::PUT, "/api/v1/auth/login").send().await;
    assert_shape(&answer, 405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "POST");
}

#[tokio::test]
async fn bodies_that_cannot_be_read_have_the_shape() {
    let site = Site::new().await;
    let login = || site.post("/api/v1/auth/login");
    assert_shape(&login().send().await, 415, "unsupported_media_type");
    let plain = login().header("content-type", "text/plain").send().await;
    assert_shape(&plain, 415, "unsupported_media_type");
    let packed = login()
        .header("content-encoding", "gzip")
        .raw("{}")
        .send()
        .await;
    assert_shape(&packed, 415, "unsupported_media_type");
    for text in ["", "{", "{\"email\":}", "{} {}", "\u{feff}{}"] {
        assert_shape(&login().raw(text).send().await, 400, "invalid_json");
    }
    let deep = login().raw("[".repeat(5_000)).send().await;
    assert_shape(&deep, 400, "invalid_json");
    for text in [
        "[]",
        "null",
        "[\"admin@example.org\",\"vexed-otter-plumbing-9\"]",
        "{\"email\":1,\"password\":\"x\"}",
        "{\"email\":\"x\"}",
    ] {
        assert_shape(&login().raw(text).send().await, 422, "invalid_body");
    }
}

#[tokio::test]
async fn unknown_members_are_refused_and_all_of_them_are_named() {
    let site = Site::new().await;
    let body = json!({ "email": ADMIN, "password": PASSWORD, "role": "admin", "project": 1 });
    let answer = site.post("/api/v1/auth/login").json(&body).send().await;
    assert_shape(&answer, 422, "unknown_field");
    assert_eq!(
        answer.json()["details"]["members"],
        json!(["project", "role"])
    );
}

#[tokio::test]
async fn limits_of_body_address_and_headers_hold_at_their_edge() {
    let site = Site::new().await;
    let sized = |bytes: usize| {
        let frame = "{\"email\":\"\",\"password\":\"\"}".len();
        format!(
            "{{\"email\":\"\",\"password\":\"{}\"}}",
            "x".repeat(bytes - frame)
        )
    };
    let login = |bytes| site.post("/api/v1/auth/login").raw(sized(bytes)).send();
    assert_eq!(login(8 << 10).await.status, StatusCode::UNAUTHORIZED);
    assert_shape(&login((8 << 10) + 1).await, 413, "body_too_large");

    let cookie = site.sign_in(ADMIN).await;
    let padded = |bytes: usize| format!("{{\"slug\":\"x\"{}}}", " ".repeat(bytes - 12));
    let create = |bytes| {
        site.post("/api/v1/projects")
            .cookie(&cookie)
            .raw(padded(bytes))
            .send()
    };
    assert_eq!(
        create(1 << 20).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_shape(&create((1 << 20) + 1).await, 413, "body_too_large");

    let path = |bytes: usize| format!("/api/{}", "x".repeat(bytes - 5));
    assert_shape(&site.get(&path(8 << 10)).send().await, 404, "not_found");
    assert_shape(
        &site.get(&path((8 << 10) + 1)).send().await,
        414,
        "uri_too_long",
    );

    let filled = |count: usize| {
        let call = site.get("/api/nope");
        (0..count)
            .fold(call, |call, n| call.header(&format!("x-{n}"), "y"))
            .send()
    };
    assert_shape(&filled(99).await, 404, "not_found");
    assert_shape(&filled(100).await, 431, "headers_too_large");
    let wide = site
        .get("/api/nope")
        .header("x-wide", "y".repeat(32 << 10))
        .send()
        .await;
    assert_shape(&wide, 431, "headers_too_large");
}

#[tokio::test]
async fn another_host_and_another_site_have_the_shape() {
    let site = Site::new().await;
    let answer = site
        .get("/api/v1/auth/me")
        .header("host", "evil.example")
        .send()
        .await;
    assert_shape(&answer, 421, "wrong_host");
    let cookie = site.sign_in(ADMIN).await;
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ] {
        let logout = site.post("/api/v1/auth/logout").header("cookie", &cookie);
        let answer = logout.header(name, value).send().await;
        assert_shape(&answer, 403, "cross_site");
    }
    assert_eq!(
        site.get("/api/v1/auth/me")
            .cookie(&cookie)
            .send()
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn queries_that_cannot_be_used_say_why() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    for query in [
        "tasks?limit=0",
        "tasks?limit=501",
        "tasks?limit=x",
        "tasks?state=done",
        "tasks?sort=name",
        "tasks?since=yesterday",
        "tasks?foo=bar",
        "tasks?cursor=AAAA",
        "commands?status=done",
        "stats?window_minutes=0",
        "stats?window_minutes=10081",
        "trends?bucket_minutes=0",
        "trends?window_minutes=10080&bucket_minutes=1",
        "audit?foo=bar",
    ] {
        let path = format!("/api/v1/projects/default/{query}");
        let answer = site.get(&path).cookie(&cookie).send().await;
        assert_shape(&answer, 400, "invalid_query");
    }
}

/// Finds out about nobody, loudly.
#[derive(Debug)]
struct Broken;

#[async_trait]
impl AccessPolicy for Broken {
    async fn principal(
        &self,
        parts: &Parts,
        _: AccessContext<'_>,
    ) -> Result<Option<Principal>, AccessError> {
        assert!(
            !parts.headers.contains_key("x-panic"),
            "a secret of /etc/passwd"
        );
        Err(AccessError::new("a secret of the directory server"))
    }

    fn has_password_sign_in(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn errors_blind_a_fault_and_a_panic_tell_nothing_but_an_id() {
    let site = Site::with(Broken, |builder| builder).await;
    let fault = site.get("/api/v1/auth/me").send().await;
    let panic = site
        .get("/api/v1/auth/me")
        .header("x-panic", "1")
        .send()
        .await;
    for answer in [fault, panic] {
        assert_shape(&answer, 500, "internal");
        assert!(!String::from_utf8_lossy(&answer.bytes).contains("secret"));
        assert_eq!(answer.json()["details"], json!({}));
    }
    let still_there = site.get("/health").send().await;
    assert_eq!(still_there.status, StatusCode::OK);
}

#[tokio::test]
async fn another_sign_in_hides_the_routes_of_the_own_one() {
    let site = Site::with(Broken, |builder| builder).await;
    assert_shape(
        &site.post("/api/v1/auth/login").raw("{}").send().await,
        404,
        "not_found",
    );
    assert_shape(
        &site.get("/api/v1/setup/status").send().await,
        404,
        "not_found",
    );
}

#[tokio::test]
async fn headers_are_on_answers_that_are_no_api_too() {
    let site = Site::configured(|config| {
        config.server.public_url = Some("https://z4j.example.org".into())
    })
    .await;
    for path in [
        "/",
        "/health",
        "/health/ready",
        "/metrics",
        "/assets/none.js",
        "/api/nope",
    ] {
        let answer = site.get(path).send().await;
        assert_protected(&answer);
        assert!(
            answer
                .header("strict-transport-security")
                .contains("max-age=31536000"),
            "{path}"
        );
        assert!(
            answer.header("content-type").contains("charset") || path != "/metrics",
            "{path}"
        );
    }
}
