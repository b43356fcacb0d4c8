//! A brain: built from a store, secrets and an access policy; served as a router; run as a future.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use z4j_core::env::Env;
use z4j_core::id::ReplicaId;
use z4j_core::redact::{DefaultRedactor, Redactor};
use z4j_core::store::Store;
use z4j_core::transport::Link;

use crate::access::AccessPolicy;
use crate::config::{BrainConfig, BrainSecrets};
use crate::dispatch::Dispatcher;
use crate::http::{self, Dashboard};
use crate::ingest::{Committer, Reports};
use crate::link::{Registry, seam};
use crate::live::Hub;
use crate::metrics::Metrics;
use crate::ops::Keyring;
use crate::replicas::Replicas;
use crate::shared::Shared;
use crate::upkeep::{self, Health};

/// A brain that is ready to be served and run. Clones are the same brain.
#[derive(Clone, Debug)]
pub struct Brain {
    shared: Arc<Shared>,
}

/// Collects what a brain is made of.
#[derive(Debug)]
#[must_use]
pub struct BrainBuilder {
    store: Arc<dyn Store>,
    secrets: BrainSecrets,
    access: Arc<dyn AccessPolicy>,
    config: BrainConfig,
    env: Env,
    redactor: Arc<dyn Redactor>,
    dashboard: Option<Arc<dyn Dashboard>>,
}

/// Why a brain cannot be built, or stopped by itself: every problem in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrainError {
    problems: Vec<String>,
}

impl BrainError {
    /// The sentences.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for BrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("; "))
    }
}

impl std::error::Error for BrainError {}

impl Brain {
    /// Begins a brain on `store`, with `secrets`, for whom `access` lets in.
    pub fn builder(
        store: Arc<dyn Store>,
        secrets: BrainSecrets,
        access: impl AccessPolicy,
    ) -> BrainBuilder {
        BrainBuilder {
            store,
            secrets,
            access: Arc::new(access),
            config: BrainConfig::default(),
            env: Env::system(),
            redactor: Arc::new(DefaultRedactor::strict()),
            dashboard: None,
        }
    }

    /// Everything that this brain serves: the agent socket, REST, the live stream, the dashboard. To serve as it is or to
    /// nest below a path. Agents are turned away until [`Self::run`] runs.
    pub fn router(&self) -> axum::Router {
        http::router(Arc::clone(&self.shared))
    }

    /// Works until `stop` is cancelled, then stops in order: no new links, no more reading, everything that was read is
    /// committed and acknowledged, links are closed with 1001. Takes at most ten seconds for it.
    ///
    /// # Errors
    /// [`BrainError`] when a part of the brain ended by itself, which is a bug; the rest was stopped in order.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BrainError> {
        upkeep::run(self.shared, stop)
            .await
            .map_err(|problem| BrainError {
                problems: vec![problem],
            })
    }

    /// Serves a link that another transport than the brain's own socket brought, until it ends. `token` is the bearer
    /// token that the agent showed. What the returned future holds is dropped with it, as if the link were cut.
    ///
    /// A link that is not wanted is closed with the code that says why; before [`Self::run`] runs that is 1001.
    ///
    /// ```
    /// use z4j_brain::Brain;
    /// use z4j_core::transport::Acceptor;
    ///
    /// /// Takes links from a transport of your own, whose tokens your transport checked for form only.
    /// async fn serve(brain: Brain, acceptor: impl Acceptor, token_of: impl Fn(&str) -> String) {
    ///     while let Ok(link) = acceptor.accept().await {
    ///         let token = token_of(link.peer.address.as_deref().unwrap_or_default());
    ///         tokio::spawn(brain.serve_link(link, &token));
    ///     }
    /// }
    /// ```
    pub fn serve_link(&self, link: Link, token: &str) -> impl Future<Output = ()> + Send + use<> {
        seam::serve(Arc::clone(&self.shared), link, SecretString::from(token))
    }

    /// What the parts share; for tests and tools of this crate.
    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl BrainBuilder {
    /// With these settings.
    pub fn with_config(mut self, config: BrainConfig) -> Self {
        self.config = config;
        self
    }

    /// With this clock and source of ids and secrets.
    pub fn with_env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// With this redactor in place of the default one.
    pub fn with_redactor(mut self, redactor: impl Redactor) -> Self {
        self.redactor = Arc::new(redactor);
        self
    }

    /// With these dashboard files; without, the brain serves no pages.
    pub fn with_dashboard(mut self, dashboard: impl Dashboard) -> Self {
        self.dashboard = Some(Arc::new(dashboard));
        self
    }

    /// Checks everything and makes the brain.
    ///
    /// # Errors
    /// [`BrainError`] with every problem that was found.
    pub fn build(self) -> Result<Brain, BrainError> {
        let mut problems = self.config.problems();
        let keyring = match Keyring::new(&self.secrets) {
            Ok(keyring) if problems.is_empty() => keyring,
            Ok(_) => return Err(BrainError { problems }),
            Err(more) => {
                problems.extend(more);
                return Err(BrainError { problems });
            }
        };
        let agents = &self.config.agents;
        let links = Registry::new(agents.handshakes_max, agents.links_per_agent_max);
        let shared = Shared {
            committer: Committer::new(agents.commit_linger),
            reports: Reports::default(),
            dispatcher: Dispatcher::default(),
            links,
            hub: Hub::new(self.env.clone()),
            health: Health::default(),
            metrics: Metrics::new(),
            stopping: CancellationToken::new(),
            replicas: Replicas::new(ReplicaId::from_u128(self.env.next_id())),
            rights: watch::Sender::new(0),
            store: self.store,
            keyring,
            redactor: self.redactor,
            access: self.access,
            dashboard: self.dashboard,
            config: self.config,
            env: self.env,
        };
        Ok(Brain {
            shared: Arc::new(shared),
        })
    }
}
