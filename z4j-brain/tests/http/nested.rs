//! The dashboard of a brain that another service carries below a path of its own.

use axum::Router;
use axum::body::Body;
use axum::http::header::HOST;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;
use z4j_brain::access::PasswordSignIn;

use crate::site::Site;

#[path = "../../../bins/z4j/src/dashboard.rs"]
mod binary;

use binary::EmbeddedDashboard;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

async fn site() -> Site {
    Site::with(PasswordSignIn::new(), |builder| {
        builder.with_dashboard(EmbeddedDashboard)
    })
    .await
}

async fn get(router: &Router, path: &str) -> Answer {
    let request = Request::builder()
        .method(Method::GET)
        .uri(path)
        .header(HOST, "localhost:7700")
        .body(Body::empty())
        .unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// Bodies of the page's script elements without a source, as a browser hashes them.
fn hashes_of(page: &str) -> Vec<String> {
    let scripts = page.split("<script").skip(1);
    scripts
        .filter_map(|rest| rest.split_once('>'))
        .filter(|(attributes, _)| !attributes.contains("src="))
        .map(|(_, rest)| rest.split("</script>").next().unwrap())
        .map(|body| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(body))))
        .collect()
}

#[tokio::test]
async fn page_of_a_nested_brain_knows_where_it_is_and_may_run_its_own_scripts() {
    let site = site().await;
    let app = Router::new().nest("/tools/z4j", site.brain.router());
    for path in [
        "/tools/z4j",
        "/tools/z4j?a=b",
        "/tools/z4j/setup?token=x",
        "/tools/z4j/projects/default/tasks",
    ] {
        let page = get(&app, path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let base = "<meta name=\"z4j-base\" content=\"/tools/z4j\">";
        assert!(page.text.contains(base), "{path}: {}", page.text);
        let policy = page.header("content-security-policy");
        let hashes = hashes_of(&page.text);
        assert_eq!(hashes.is_empty(), !z4j_ui::is_built());
        for hash in &hashes {
            assert!(policy.contains(hash), "{path}: {hash} is not in {policy}");
        }
        assert_eq!(policy.matches("'sha256-").count(), hashes.len());
    }
}

#[tokio::test]
async fn every_file_that_a_nested_page_names_is_there() {
    let site = site().await;
    let app = Router::new().nest("/z4j", site.brain.router());
    let page = get(&app, "/z4j/projects/default").await.text;
    // A nonce is base64 and may begin with a slash.
    let (before, nonce) = page.split_once("csp-nonce\" content=\"").unwrap();
    let page = format!("{before}{}", nonce.split_once('"').unwrap().1);
    let mut files = 0;
    let paths = page.split("\"/").skip(1);
    for path in paths.map(|rest| rest.split('"').next().unwrap()) {
        if path == "z4j" || path.starts_with('>') {
            continue; // the mount path itself, or the end of an element
        }
        let file = get(&app, &format!("/{path}")).await;
        assert_eq!(file.status, StatusCode::OK, "/{path}");
        assert!(
            !file.header("content-type").starts_with("text/html"),
            "/{path}"
        );
        files += 1;
    }
    assert_eq!(z4j_ui::is_built(), files > 0);
}

#[tokio::test]
async fn unknown_api_paths_and_files_of_a_nested_brain_are_never_the_page() {
    let site = site().await;
    let app = Router::new().nest("/z4j", site.brain.router());
    let api = get(&app, "/z4j/api/v1/none").await;
    assert_eq!(api.status, StatusCode::NOT_FOUND);
    assert!(api.header("content-type").starts_with("application/json"));
    let file = get(&app, "/z4j/assets/none.js").await;
    assert_eq!(file.status, StatusCode::NOT_FOUND);
    assert!(!file.text.contains("<html"));
}

#[tokio::test]
async fn a_visitor_who_chooses_the_mount_path_writes_nothing_into_the_page() {
    let site = site().await;
    let app = Router::new().nest("/of/{tenant}", site.brain.router());
    let plain = get(&app, "/of/acme/setup").await;
    assert!(
        plain.text.contains("content=\"/of/acme\""),
        "{}",
        plain.text
    );
    for path in ["/of/a{b/setup", "/of/a'b/setup", "/of/a;b/setup"] {
        let page = get(&app, path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!page.text.contains("<html"), "{path}");
    }
}

#[tokio::test]
async fn page_at_the_root_is_the_one_that_was_built() {
    let site = site().await;
    let router = site.brain.router();
    for path in ["/", "//", "/projects/default/tasks", "//setup"] {
        let page = get(&router, path).await.text;
        assert!(!page.contains("z4j-base"), "{path}");
        let without_nonce = |page: &str| {
            let (before, rest) = page.split_once("<meta name=\"csp-nonce\"").unwrap();
            format!("{before}{}", rest.split_once('>').unwrap().1)
        };
        assert_eq!(without_nonce(&page), without_nonce(&z4j_ui::shell("n")));
    }
}
