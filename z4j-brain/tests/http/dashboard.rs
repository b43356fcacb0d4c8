//! The dashboard's files and its page.

use std::borrow::Cow;

use axum::http::{Method, StatusCode};
use z4j_brain::access::PasswordSignIn;
use z4j_brain::{Dashboard, DashboardAsset};

use crate::site::Site;

#[derive(Debug)]
struct Pages;

impl Dashboard for Pages {
    fn asset(&self, path: &str) -> Option<DashboardAsset> {
        (path == "/assets/app-1.js").then(|| DashboardAsset {
            bytes: Cow::Borrowed(b"plain"),
            content_type: "text/javascript; charset=utf-8".to_owned(),
            etag: "\"tag\"".to_owned(),
            immutable: true,
            brotli: Some(Cow::Borrowed(b"brotli")),
            gzip: Some(Cow::Borrowed(b"gzip")),
        })
    }

    fn shell(&self, nonce: &str) -> String {
        format!("<html nonce={nonce}>")
    }

    fn script_hashes(&self) -> &[String] {
        static HASHES: std::sync::LazyLock<Vec<String>> =
            std::sync::LazyLock::new(|| vec!["'sha256-x'".to_owned()]);
        &HASHES
    }
}

async fn site() -> Site {
    Site::with(PasswordSignIn::new(), |builder| {
        builder.with_dashboard(Pages)
    })
    .await
}

#[tokio::test]
async fn every_path_that_is_no_file_is_the_page_with_a_nonce_of_its_own() {
    let site = site().await;
    let mut nonces = Vec::new();
    for path in [
        "/",
        "/setup",
        "/setup?token=x",
        "/p/default/tasks",
        "/favicon.ico",
    ] {
        let answer = site.get(path).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-cache");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("script-src 'self' 'sha256-x';"), "{policy}");
        let html = String::from_utf8_lossy(&answer.bytes).into_owned();
        let nonce = html
            .trim_start_matches("<html nonce=")
            .trim_end_matches('>')
            .to_owned();
        assert!(policy.contains(&format!("'nonce-{nonce}'")), "{policy}");
        assert!(!policy.contains("unsafe"));
        nonces.push(nonce);
    }
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), 5);
}

#[tokio::test]
async fn a_file_is_sent_as_the_browser_takes_it() {
    let site = site().await;
    let file = |accepts: &'static str| {
        site.get("/assets/app-1.js")
            .header("accept-encoding", accepts)
            .send()
    };
    for (accepts, body, coding) in [
        ("gzip, br", "brotli", "br"),
        ("gzip", "gzip", "gzip"),
        ("", "plain", ""),
    ] {
        let answer = file(accepts).await;
        assert_eq!(answer.bytes, body.as_bytes());
        assert_eq!(answer.header("content-encoding"), coding);
        assert_eq!(answer.header("vary"), "accept-encoding");
        assert!(answer.header("cache-control").contains("immutable"));
    }
    let kept = site
        .get("/assets/app-1.js")
        .header("if-none-match", "\"old\", W/\"tag\"")
        .send()
        .await;
    assert_eq!(kept.status, StatusCode::NOT_MODIFIED);
    assert!(kept.bytes.is_empty());
}

#[tokio::test]
async fn an_unknown_asset_and_an_unknown_api_path_are_never_the_page() {
    let site = site().await;
    for path in ["/assets/none.js", "/api/none"] {
        let answer = site.get(path).send().await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(!String::from_utf8_lossy(&answer.bytes).contains("<html"));
    }
    let write = site.call(Method::POST, "/p/default").send().await;
    assert_eq!(write.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_brain_without_pages_says_so() {
    let site = Site::empty().await;
    let answer = site.get("/").send().await;
    assert!(String::from_utf8_lossy(&answer.bytes).contains("no dashboard"));
}
