//! The live stream.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::site::{ADMIN, Site};

const PATH: &str = "/api/v1/projects/default/stream";
/// Longer than anything takes on a busy machine.
const WAIT: Duration = Duration::from_secs(20);

/// One event as a browser reads it.
#[derive(Debug)]
struct Said {
    event: String,
    id: String,
    data: Value,
}

struct Reader {
    body: Body,
    text: String,
}

impl Reader {
    async fn open(site: &Site, cookie: &str, last_id: Option<&str>) -> Self {
        let mut call = site.get(PATH).cookie(cookie);
        if let Some(id) = last_id {
            call = call.header("last-event-id", id);
        }
        let response = call.open().await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers()["content-type"],
            "text/event-stream; charset=utf-8"
        );
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next event; `None` when the stream is over.
    async fn next(&mut self) -> Option<Said> {
        timeout(WAIT, self.read())
            .await
            .expect("an event or the end")
    }

    async fn read(&mut self) -> Option<Said> {
        loop {
            if let Some((block, rest)) = self.text.clone().split_once("\n\n") {
                self.text = rest.to_owned();
                if block.starts_with(':') {
                    continue;
                }
                return Some(parse(block));
            }
            let frame = self.body.frame().await?.unwrap();
            let bytes = frame.into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    async fn expect(&mut self, event: &str) -> Said {
        let said = self.next().await.expect("the stream goes on");
        assert_eq!(said.event, event, "{said:?}");
        said
    }
}

fn parse(block: &str) -> Said {
    let member = |name: &str| {
        let line = block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    Said {
        event: member("event"),
        id: member("id"),
        data: serde_json::from_str(&member("data")).unwrap(),
    }
}

async fn mint(site: &Site, cookie: &str, name: &str) {
    let call = site.post("/api/v1/projects/default/agents").cookie(cookie);
    let answer = call.json(&json!({ "name": name })).send().await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_fresh_stream_is_ready_and_then_tells_changes_in_the_shapes_of_rest() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    let mut reader = Reader::open(&site, &cookie, None).await;
    let ready = reader.expect("ready").await;
    assert!(ready.data["at"].is_string() && !ready.id.is_empty());
    mint(&site, &cookie, "web").await;
    let agent = reader.expect("agent").await;
    let listed = site
        .get("/api/v1/projects/default/agents")
        .cookie(&cookie)
        .send()
        .await
        .json();
    assert_eq!(agent.data, listed["items"][0]);
    let number = |id: &str| id.split_once('-').unwrap().1.parse::<u64>().unwrap();
    assert!(number(&agent.id) > number(&ready.id));
}

#[tokio::test]
async fn a_stream_that_resumes_is_told_what_it_missed() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    let mut reader = Reader::open(&site, &cookie, None).await;
    let seen = reader.expect("ready").await.id;
    drop(reader);
    mint(&site, &cookie, "missed-1").await;
    mint(&site, &cookie, "missed-2").await;
    let mut reader = Reader::open(&site, &cookie, Some(&seen)).await;
    let (one, two) = (reader.expect("agent").await, reader.expect("agent").await);
    assert_eq!(
        (&one.data["name"], &two.data["name"]),
        (&json!("missed-1"), &json!("missed-2"))
    );
    assert!(
        one.id.is_empty(),
        "only the last event of a message moves the resume point"
    );
    let mut again = Reader::open(&site, &cookie, Some(&two.id)).await;
    mint(&site, &cookie, "new").await;
    assert_eq!(again.expect("agent").await.data["name"], "new");
}

#[tokio::test]
async fn a_resume_point_that_nobody_knows_is_answered_with_a_reset() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    for unknown in ["1", "18446744073709551615"] {
        let mut reader = Reader::open(&site, &cookie, Some(unknown)).await;
        let reset = reader.expect("reset").await;
        assert!(reset.data["reason"].is_string());
        assert!(!reset.id.is_empty(), "the next resume starts from here");
    }
}

#[tokio::test]
async fn session_end_ends_its_streams() {
    let site = Site::new().await;
    let (leaving, staying) = (site.sign_in(ADMIN).await, site.sign_in(ADMIN).await);
    let mut left = Reader::open(&site, &leaving, None).await;
    let mut stays = Reader::open(&site, &staying, None).await;
    left.expect("ready").await;
    stays.expect("ready").await;
    site.post("/api/v1/auth/logout")
        .cookie(&leaving)
        .send()
        .await;
    assert!(left.next().await.is_none());
    mint(&site, &staying, "web").await;
    stays.expect("agent").await;
}

#[tokio::test]
async fn rights_that_end_elsewhere_end_streams_within_seconds() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    let mut reader = Reader::open(&site, &cookie, None).await;
    reader.expect("ready").await;
    site.operator()
        .set_password(ADMIN, &"another-otter-entirely".into())
        .await
        .unwrap();
    let began = tokio::time::Instant::now();
    assert!(reader.next().await.is_none());
    assert!(began.elapsed() <= Duration::from_secs(10));
}

#[tokio::test]
async fn an_open_stream_does_not_keep_an_idle_session_alive() {
    let site = Site::new().await;
    let idle = site.sign_in(ADMIN).await;
    let (busy, leaving) = (site.sign_in(ADMIN).await, site.sign_in(ADMIN).await);
    let mut reader = Reader::open(&site, &idle, None).await;
    reader.expect("ready").await;
    site.clock.advance(Duration::from_secs(20 * 60));
    // Rights are looked at before the change is told.
    site.post("/api/v1/auth/logout")
        .cookie(&leaving)
        .send()
        .await;
    mint(&site, &busy, "web").await;
    reader.expect("agent").await;
    site.clock.advance(Duration::from_secs(9 * 60));
    let answer = site.get("/api/v1/auth/me").cookie(&idle).send().await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_seventeenth_stream_of_a_person_is_refused_until_one_ends() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    let mut readers = Vec::new();
    for _ in 0..16 {
        readers.push(Reader::open(&site, &cookie, None).await);
    }
    let refused = site.get(PATH).cookie(&cookie).send().await;
    assert_eq!(
        (refused.status, refused.error().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "too_many_streams")
    );
    readers.pop();
    Reader::open(&site, &cookie, None).await;
}

#[tokio::test]
async fn a_brain_that_stops_ends_its_streams() {
    let mut site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    let mut reader = Reader::open(&site, &cookie, None).await;
    reader.expect("ready").await;
    site.stop().await;
    assert!(reader.next().await.is_none());
}
