//! A brain without a socket: requests go straight into its router.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use z4j_brain::access::{AccessPolicy, PasswordSignIn};
use z4j_brain::config::{BrainConfig, BrainSecrets};
use z4j_brain::{Brain, BrainBuilder, Operator};
use z4j_core::env::{Clock, Env, SystemIds};
use z4j_core::id::{AgentId, EventId, ProjectId};
use z4j_core::policy::Role;
use z4j_core::redact::Redacted;
use z4j_core::store::{IngestBatch, IngestEvent, Store};
use z4j_core::task::{EventKind, TaskEvent, TaskFacts};
use z4j_core::time::Timestamp;
use z4j_store_sqlite::SqliteStore;

pub(crate) const PASSWORD: &str = "vexed-otter-plumbing-9";
pub(crate) const ADMIN: &str = "admin@example.org";

/// A clock that moves when it is told to.
#[derive(Debug)]
pub(crate) struct HandClock {
    micros: AtomicI64,
    start: i64,
}

impl HandClock {
    fn new() -> Self {
        let start: Timestamp = "2026-11-23T08:00:30Z".parse().unwrap();
        Self {
            micros: AtomicI64::new(start.as_micros()),
            start: start.as_micros(),
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap();
        self.micros.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        let micros = self.micros.load(Ordering::SeqCst) - self.start;
        Duration::from_micros(u64::try_from(micros).unwrap())
    }
}

/// A brain on a fresh store.
pub(crate) struct Site {
    pub(crate) brain: Brain,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<HandClock>,
    router: Router,
    stop: CancellationToken,
    running: Option<JoinHandle<()>>,
    _folder: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

/// A request on its way.
pub(crate) struct Call<'a> {
    site: &'a Site,
    request: axum::http::request::Builder,
    host: bool,
    body: Body,
}

impl Site {
    /// A brain that runs, with nobody in it.
    pub(crate) async fn empty() -> Self {
        Self::with(PasswordSignIn::new(), |builder| builder).await
    }

    /// A brain that runs, with an instance admin and the project `default`.
    pub(crate) async fn new() -> Self {
        let site = Self::empty().await;
        site.bootstrap().await;
        site
    }

    /// A brain that runs, with this policy and these parts.
    pub(crate) async fn with(
        access: impl AccessPolicy,
        parts: impl FnOnce(BrainBuilder) -> BrainBuilder,
    ) -> Self {
        let mut site = Self::idle(config(), access, parts);
        site.run().await;
        site
    }

    /// A brain that runs, with these settings, an instance admin and the project `default`.
    pub(crate) async fn configured(change: impl FnOnce(&mut BrainConfig)) -> Self {
        let mut config = config();
        change(&mut config);
        let mut site = Self::idle(config, PasswordSignIn::new(), |builder| builder);
        site.run().await;
        site.bootstrap().await;
        site
    }

    /// A brain that does not run.
    pub(crate) fn idle(
        config: BrainConfig,
        access: impl AccessPolicy,
        parts: impl FnOnce(BrainBuilder) -> BrainBuilder,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_dir(folder.path()).unwrap());
        let clock = Arc::new(HandClock::new());
        let env = Env::new(Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(SystemIds));
        let secret =
            |name: &str| SecretString::from(format!("{name}-secret-of-a-test-brain-0123456789"));
        let secrets = BrainSecrets {
            master: secret("master"),
            session: secret("session"),
            audit: secret("audit"),
        };
        let builder = Brain::builder(Arc::clone(&store), secrets, access);
        let brain = parts(builder.with_config(config).with_env(env))
            .build()
            .unwrap();
        Self {
            router: brain.router(),
            brain,
            store,
            clock,
            stop: CancellationToken::new(),
            running: None,
            _folder: folder,
        }
    }

    async fn run(&mut self) {
        let (brain, stop) = (self.brain.clone(), self.stop.clone());
        self.running = Some(tokio::spawn(async move { brain.run(stop).await.unwrap() }));
        while self.get("/health/ready").send().await.status != StatusCode::OK {
            tokio::task::yield_now().await;
            // The readiness of the store is kept for a second of this clock.
            self.clock.advance(Duration::from_millis(1100));
        }
    }

    /// Stops the brain and waits for it.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            running.await.unwrap();
        }
    }

    async fn bootstrap(&self) {
        let made = self
            .operator()
            .bootstrap_admin(ADMIN, &password())
            .await
            .unwrap();
        assert!(made);
    }

    pub(crate) fn operator(&self) -> Operator {
        self.brain.operator()
    }

    /// Creates a person and signs them in.
    pub(crate) async fn person(&self, email: &str, role: Option<(&str, Role)>) -> String {
        let operator = self.operator();
        operator
            .create_user(email, &password(), None, false, role)
            .await
            .unwrap();
        self.sign_in(email).await
    }

    /// Signs somebody in; answers the cookie.
    pub(crate) async fn sign_in(&self, email: &str) -> String {
        // Enough for every limit on sign-in to recover.
        self.clock.advance(Duration::from_secs(61));
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = self.post("/api/v1/auth/login").json(&body).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.cookie()
    }

    /// The project of a slug; makes it when it is not there.
    pub(crate) async fn project(&self, cookie: &str, slug: &str) -> ProjectId {
        let body = json!({ "slug": slug });
        let answer = self
            .post("/api/v1/projects")
            .cookie(cookie)
            .json(&body)
            .send()
            .await;
        assert!([201, 409].contains(&answer.status.as_u16()), "{answer:?}");
        self.store.project_by_slug(slug).await.unwrap().unwrap().id
    }

    /// Stores one task for each name, a second apart, the first one earliest.
    pub(crate) async fn tasks(&self, project: ProjectId, kind: &EventKind, ids: &[&str]) {
        let start = self.clock.now();
        let events = ids.iter().enumerate().map(|(n, id)| {
            let at = start.plus(Duration::from_secs(u64::try_from(n).unwrap()));
            event(project, kind.clone(), id, at)
        });
        let receipt = self
            .store
            .ingest(IngestBatch::new(start, events.collect()))
            .await
            .unwrap();
        assert_eq!(receipt.changes.len(), ids.len());
    }

    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call {
            site: self,
            request: Request::builder().method(method).uri(path),
            host: true,
            body: Body::empty(),
        }
    }
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.host &= !name.eq_ignore_ascii_case("host");
        self.request = self.request.header(name, value.as_ref());
        self
    }

    /// As the server says where it came from.
    pub(crate) fn from(mut self, address: &str) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        self.request = self.request.extension(ConnectInfo(address));
        self
    }

    /// As a page of the brain sends it.
    pub(crate) fn cookie(self, cookie: &str) -> Self {
        self.header(COOKIE.as_str(), cookie)
            .header("sec-fetch-site", "same-origin")
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw(body.to_string())
    }

    pub(crate) fn raw(self, body: impl Into<Body>) -> Self {
        let mut call = self.header(CONTENT_TYPE.as_str(), "application/json");
        call.body = body.into();
        call
    }

    pub(crate) async fn open(mut self) -> Response {
        if self.host {
            self.request = self.request.header(HOST, "localhost:7700");
        }
        let request = self.request.body(self.body).unwrap();
        self.site.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(self) -> Answer {
        let (parts, body) = self.open().await.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            bytes: body.collect().await.unwrap().to_bytes(),
        }
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("no JSON: {:?}", self.bytes))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The stable word of an error.
    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The session cookie that was set, as a browser sends it back.
    pub(crate) fn cookie(&self) -> String {
        let cookie = self.header(SET_COOKIE.as_str());
        cookie.split(';').next().unwrap().to_owned()
    }
}

pub(crate) fn password() -> SecretString {
    PASSWORD.into()
}

/// Settings whose password hashes cost next to nothing.
pub(crate) fn config() -> BrainConfig {
    let mut config = BrainConfig::default();
    config.sign_in.argon2_memory_kib = 8;
    config.sign_in.argon2_passes = 1;
    config.sign_in.argon2_lanes = 1;
    config
}

fn event(project: ProjectId, kind: EventKind, id: &str, at: Timestamp) -> IngestEvent {
    let facts = TaskFacts {
        name: Some("shop.charge".into()),
        queue: Some("default".into()),
        worker: Some("w1@host".into()),
        args: Some("[1, \"two\"]".into()),
        ..TaskFacts::default()
    };
    IngestEvent {
        id: EventId::from_u128(uuid_of(id)),
        project_id: project,
        agent_id: AgentId::from_u128(1),
        engine: "celery".into(),
        task: Some(TaskEvent::new(kind.clone(), at).with_facts(facts)),
        kind,
        task_id: id.into(),
        sent_at: at,
        occurred_at: at,
        worker: Some("w1@host".into()),
        queue: Some("default".into()),
        data: Redacted::vouch(Bytes::from_static(b"{}")),
    }
}

/// A number for a short name.
fn uuid_of(name: &str) -> u128 {
    name.bytes()
        .fold(7, |number, byte| number * 257 + u128::from(byte))
}
