//! Collects and checks the settings of an agent.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use z4j_core::engine::{Engine, EngineDescriptor};
use z4j_core::env::Env;
use z4j_core::keys::SecretKey;
use z4j_core::limits;
use z4j_core::redact::{DefaultRedactor, Redactor};
use z4j_core::scheduler::{Scheduler, SchedulerDescriptor};
use z4j_core::transport::{Endpoint, Transport};
use z4j_core::wire::{Hello, HostInfo};

use crate::agent::Agent;
use crate::capture::Scrubber;
use crate::commands::Adapters;
use crate::config::{self, BufferLimits, ConfigError, Credential, LABEL_CHARS_MAX, Problems};
use crate::driver::{Driver, DriverSetup};
use crate::jobs::Toolbox;
use crate::transport::{WsTransport, WsUrl};

/// The capability that lets a brain retry without knowing the arguments (wire §6.2).
const RETRY_BY_REFERENCE: &str = "retry_by_reference_v1";

/// Collects the settings of an agent.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct AgentBuilder {
    brain_url: String,
    credential: Credential,
    engines: Vec<Arc<dyn Engine>>,
    schedulers: Vec<Arc<dyn Scheduler>>,
    redactor: Option<Arc<dyn Redactor>>,
    buffer: BufferLimits,
    name: Option<String>,
    worker_role: Option<String>,
    framework: String,
    transport: Option<Arc<dyn Transport>>,
    env: Option<Env>,
    process_id: u32,
    allow_plain_text: bool,
}

impl AgentBuilder {
    pub(crate) fn new(brain_url: String, credential: Credential) -> Self {
        Self {
            brain_url,
            credential,
            engines: Vec::new(),
            schedulers: Vec::new(),
            redactor: None,
            buffer: BufferLimits::default(),
            name: None,
            worker_role: None,
            framework: "rust".to_owned(),
            transport: None,
            env: None,
            process_id: std::process::id(),
            allow_plain_text: false,
        }
    }

    /// Adds a queue engine. An agent needs at least one engine or scheduler.
    pub fn with_engine(mut self, engine: impl Engine) -> Self {
        self.engines.push(Arc::new(engine));
        self
    }

    /// Adds a scheduler.
    pub fn with_scheduler(mut self, scheduler: impl Scheduler) -> Self {
        self.schedulers.push(Arc::new(scheduler));
        self
    }

    /// Replaces the default redactor, [`DefaultRedactor::strict`].
    pub fn with_redactor(mut self, redactor: impl Redactor) -> Self {
        self.redactor = Some(Arc::new(redactor));
        self
    }

    /// Limits what is kept while the brain does not answer.
    pub const fn with_buffer(mut self, limits: BufferLimits) -> Self {
        self.buffer = limits;
        self
    }

    /// Names this process on the agent's page.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says what this process does: `web`, `task`, `scheduler`, `beat` or `other`.
    pub fn with_worker_role(mut self, role: impl Into<String>) -> Self {
        self.worker_role = Some(role.into());
        self
    }

    /// Names the application's framework; `rust` if nothing is said.
    pub fn with_framework(mut self, framework: impl Into<String>) -> Self {
        self.framework = framework.into();
        self
    }

    /// Replaces the WebSocket transport.
    pub fn with_transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Replaces the machine's clock and random source, for tests and simulations.
    pub fn with_env(mut self, env: Env) -> Self {
        self.env = Some(env);
        self
    }

    /// Says which process this is instead of asking the machine, for simulations that run many in one.
    pub const fn with_process_id(mut self, process_id: u32) -> Self {
        self.process_id = process_id;
        self
    }

    /// Allows `http://` to hosts other than loopback. Everyone on the network can then read the token and the events.
    pub const fn allow_plain_text(mut self) -> Self {
        self.allow_plain_text = true;
        self
    }

    /// Checks all settings.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem.
    pub fn build(self) -> Result<Agent, ConfigError> {
        let mut problems = Problems::default();
        let key = self.check(&mut problems);
        let adapters = self.describe(&mut problems);
        problems.into_result()?;
        let env = self.env.unwrap_or_else(Env::system);
        let process = ProcessLabels {
            id: self.process_id,
            name: self.name,
            role: self.worker_role,
            framework: self.framework,
        };
        let hello = hello(&env, &adapters, process);
        let names: Vec<String> = adapters
            .engines
            .iter()
            .map(|engine| engine.name.clone())
            .collect();
        let redactor = self
            .redactor
            .unwrap_or_else(|| Arc::new(DefaultRedactor::strict()));
        let setup = DriverSetup {
            env: env.clone(),
            key,
            hello,
            buffer: self.buffer,
            adapters,
        };
        let transport = self
            .transport
            .unwrap_or_else(|| Arc::new(WsTransport::new(self.allow_plain_text)));
        Ok(Agent {
            driver: Driver::new(setup),
            transport,
            endpoint: Endpoint::new(self.brain_url, self.credential.token.expose()),
            toolbox: Toolbox {
                engines: names.into_iter().zip(self.engines).collect(),
                schedulers: self.schedulers.into(),
                scrubber: Scrubber::new(redactor),
                started: env.elapsed(),
                process_id: self.process_id,
                env: env.clone(),
            },
            env,
        })
    }

    fn check(&self, problems: &mut Problems) -> SecretKey {
        // Another transport may have URLs of its own.
        if self.transport.is_none() {
            match WsUrl::parse(&self.brain_url) {
                Err(problem) => problems.add(problem),
                Ok(url) if url.leaks_token() && !self.allow_plain_text => {
                    problems
                        .add("a brain that is not on this machine must be reached with https://");
                }
                Ok(_) => {}
            }
        }
        let token = self.credential.token.expose();
        let is_header_safe = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        problems.check(
            is_header_safe,
            "the token must be what the brain showed: visible characters, no spaces",
        );
        config::check_label(
            "the project",
            &self.credential.project_slug,
            LABEL_CHARS_MAX - 1,
            problems,
        );
        config::check_label(
            "the framework",
            &self.framework,
            limits::FRAMEWORK_CHARS_MAX,
            problems,
        );
        if let Some(name) = &self.name {
            config::check_label("the name", name, LABEL_CHARS_MAX, problems);
        }
        if let Some(role) = &self.worker_role {
            config::check_label(
                "the worker role",
                role,
                limits::WORKER_ROLE_CHARS_MAX,
                problems,
            );
        }
        config::check_buffer(self.buffer, problems);
        let key = SecretKey::from_hmac_secret(self.credential.hmac_secret.expose());
        key.and_then(SecretKey::require_min_length)
            .unwrap_or_else(|error| {
                problems.add(error.to_string());
                SecretKey::from_bytes(Vec::new())
            })
    }

    fn describe(&self, problems: &mut Problems) -> Adapters {
        let engines: Vec<EngineDescriptor> = self
            .engines
            .iter()
            .filter_map(|engine| described(|| engine.descriptor(), problems))
            .collect();
        let schedulers: Vec<SchedulerDescriptor> = self
            .schedulers
            .iter()
            .filter_map(|scheduler| described(|| scheduler.descriptor(), problems))
            .collect();
        problems.check(
            !self.engines.is_empty() || !self.schedulers.is_empty(),
            "an agent needs at least one engine or scheduler",
        );
        config::check_names(
            "the engine",
            engines.iter().map(|engine| engine.name.as_str()),
            problems,
        );
        config::check_names(
            "the scheduler",
            schedulers.iter().map(|scheduler| scheduler.name.as_str()),
            problems,
        );
        Adapters {
            engines,
            schedulers,
        }
    }
}

/// A descriptor that panics is a problem of the settings, not of the host.
fn described<T>(describe: impl FnOnce() -> T, problems: &mut Problems) -> Option<T> {
    let described = catch_unwind(AssertUnwindSafe(describe)).ok();
    problems.check(
        described.is_some(),
        "an adapter panicked when it was asked what it is",
    );
    described
}

/// What a hello says of the process around the agent.
struct ProcessLabels {
    id: u32,
    name: Option<String>,
    role: Option<String>,
    framework: String,
}

fn hello(env: &Env, adapters: &Adapters, process: ProcessLabels) -> Hello {
    let mut capabilities = BTreeMap::new();
    let engines = adapters
        .engines
        .iter()
        .map(|engine| (&engine.name, &engine.capabilities));
    let schedulers = adapters
        .schedulers
        .iter()
        .map(|scheduler| (&scheduler.name, &scheduler.capabilities));
    for (adapter, tokens) in engines.chain(schedulers) {
        let mut tokens = tokens.clone();
        tokens.sort_unstable();
        tokens.dedup();
        capabilities.insert(adapter.clone(), tokens);
    }
    let by_reference = capabilities
        .values()
        .flatten()
        .any(|token| token == RETRY_BY_REFERENCE);
    let now = env.now();
    Hello {
        protocol_version: limits::PROTOCOL_VERSION_TEXT.to_owned(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        engines: adapters
            .engines
            .iter()
            .map(|engine| engine.name.clone())
            .collect(),
        schedulers: adapters
            .schedulers
            .iter()
            .map(|scheduler| scheduler.name.clone())
            .collect(),
        capabilities,
        host: HostInfo { name: process.name },
        worker_id: Some(worker_id(env, &process.framework, process.id)),
        framework: process.framework,
        worker_role: process.role,
        worker_pid: Some(process.id).filter(|pid| *pid <= i32::MAX.cast_unsigned()),
        worker_started_at: Some(now.to_string()),
        // The driver offers its stream.
        stream: None,
        runtime_features: by_reference
            .then(|| "retry_by_reference".to_owned())
            .into_iter()
            .collect(),
    }
}

/// Several agents of one process must not take each other's place, so time alone does not do.
fn worker_id(env: &Env, framework: &str, process_id: u32) -> String {
    let unix_ms = env.now().as_micros() / 1_000;
    let random = u16::from_le_bytes(env.secret_bytes::<2>());
    format!("{framework}-{process_id}-{unix_ms}-{random:04x}")
}
