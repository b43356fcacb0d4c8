//! How a fake agent presents itself.

use http::Uri;
use z4j_core::keys::SecretKey;
use z4j_core::wire::{Hello, HostInfo};

use super::FakeAgentError;

/// Where to connect, as whom, and what to say first.
#[derive(Clone, Debug)]
pub struct FakeAgentConfig {
    pub(crate) uri: Uri,
    pub(crate) authority: String,
    pub(crate) token: String,
    pub(crate) key: SecretKey,
    pub(crate) hello: Hello,
    pub(crate) cut_after_bytes: Option<u64>,
}

impl FakeAgentConfig {
    /// An agent of the brain at `url` (such as `http://127.0.0.1:7700`) with the credentials that the brain gave out.
    ///
    /// # Errors
    /// [`FakeAgentError::Url`] or [`FakeAgentError::Key`].
    pub fn new(url: &str, token: &str, hmac_secret: &str) -> Result<Self, FakeAgentError> {
        Self::with_key(url, token, SecretKey::from_hmac_secret(hmac_secret)?)
    }

    /// The same with the project key itself.
    ///
    /// # Errors
    /// [`FakeAgentError::Url`].
    pub fn with_key(url: &str, token: &str, key: SecretKey) -> Result<Self, FakeAgentError> {
        let rest = ["http://", "ws://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or(FakeAgentError::Url)?.trim_end_matches('/');
        let uri: Uri = format!("ws://{rest}/ws/agent")
            .parse()
            .map_err(|_| FakeAgentError::Url)?;
        let host = uri.host().ok_or(FakeAgentError::Url)?;
        let authority = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        Ok(Self {
            authority,
            uri,
            token: token.to_owned(),
            key,
            hello: celery_hello(),
            cut_after_bytes: None,
        })
    }

    /// Connects to this path instead of `/ws/agent`.
    ///
    /// # Errors
    /// [`FakeAgentError::Url`].
    pub fn at_path(mut self, path: &str) -> Result<Self, FakeAgentError> {
        let uri = format!("ws://{}{path}", self.authority);
        self.uri = uri.parse().map_err(|_| FakeAgentError::Url)?;
        Ok(self)
    }

    /// Changes any member of the hello. Without it the agent says what a Celery worker says.
    #[must_use]
    pub fn with_hello(mut self, change: impl FnOnce(&mut Hello)) -> Self {
        change(&mut self.hello);
        self
    }

    /// Names the process among those that share the token; a second connection with the same name replaces the first.
    #[must_use]
    pub fn with_worker_id(self, worker_id: &str) -> Self {
        self.with_hello(|hello| hello.worker_id = Some(worker_id.to_owned()))
    }

    /// Drops the TCP stream once this many bytes were written, the upgrade request included.
    #[must_use]
    pub const fn with_cut_after_bytes(mut self, bytes: u64) -> Self {
        self.cut_after_bytes = Some(bytes);
        self
    }
}

/// What a Celery worker with the published agent says.
fn celery_hello() -> Hello {
    let capabilities = [
        "add_consumer",
        "bulk_retry",
        "cancel_consumer",
        "cancel_task",
        "pool_grow",
        "pool_shrink",
        "purge_queue",
        "rate_limit",
        "restart_worker",
        "retry_by_reference_v1",
        "retry_task",
        "submit_task",
    ];
    Hello {
        protocol_version: "2".to_owned(),
        agent_version: "1.13.0".to_owned(),
        framework: "bare".to_owned(),
        engines: vec!["celery".to_owned()],
        schedulers: Vec::new(),
        capabilities: [(
            "celery".to_owned(),
            capabilities.map(str::to_owned).to_vec(),
        )]
        .into(),
        host: HostInfo::default(),
        worker_id: None,
        worker_role: None,
        worker_pid: Some(std::process::id()),
        worker_started_at: None,
        runtime_features: vec![
            "retry_by_reference".to_owned(),
            "external_schedule_protocol_v1".to_owned(),
        ],
        stream: None,
    }
}
