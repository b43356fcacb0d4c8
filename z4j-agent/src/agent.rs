//! The public face: build an agent, start it, stop it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tracing::{error, warn};
use z4j_core::env::Env;
use z4j_core::transport::{Endpoint, Transport};

use crate::builder::AgentBuilder;
use crate::config::Credential;
use crate::driver::{AgentState, Driver, LinkState};
use crate::jobs::Toolbox;
use crate::runtime::Runtime;

/// An agent that is ready to start.
#[derive(Debug)]
#[must_use = "an agent does nothing until it is spawned"]
pub struct Agent {
    pub(crate) env: Env,
    pub(crate) driver: Driver,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) endpoint: Endpoint,
    pub(crate) toolbox: Toolbox,
}

impl Agent {
    /// An agent of the brain at `brain_url`, such as `https://brain.example`.
    pub fn builder(brain_url: impl Into<String>, credential: Credential) -> AgentBuilder {
        AgentBuilder::new(brain_url.into(), credential)
    }

    /// Starts the agent on the current tokio runtime, or without one on a thread of its own. Never blocks.
    ///
    /// The agent stops when its handle is dropped.
    pub fn spawn(self) -> AgentHandle {
        let (stop, stop_seen) = watch::channel(None);
        let (state, state_seen) = watch::channel(self.driver.state());
        let (running, done) = oneshot::channel::<()>();
        let env = self.env.clone();
        let runtime = Runtime {
            env: self.env,
            driver: self.driver,
            transport: self.transport,
            endpoint: self.endpoint,
            toolbox: self.toolbox,
            stop: stop_seen,
            state,
        };
        let work = Box::pin(async move {
            runtime.run().await;
            drop(running);
        });
        match tokio::runtime::Handle::try_current() {
            Ok(handle) => drop(handle.spawn(work)),
            Err(_) => spawn_thread(work),
        }
        AgentHandle {
            env,
            stop,
            state: state_seen,
            done,
        }
    }
}

/// For hosts without tokio.
fn spawn_thread(work: impl Future<Output = ()> + Send + 'static) {
    let thread = std::thread::Builder::new().name("z4j-agent".to_owned());
    let body = move || match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => error!(%error, "the agent cannot start its runtime"),
    };
    if let Err(error) = thread.spawn(body) {
        error!(%error, "the agent cannot start its thread");
    }
}

/// A running agent. Dropping it stops the agent at once; [`AgentHandle::shutdown`] lets it deliver first.
#[derive(Debug)]
#[must_use = "dropping the handle stops the agent"]
pub struct AgentHandle {
    env: Env,
    stop: watch::Sender<Option<Duration>>,
    state: watch::Receiver<AgentState>,
    done: oneshot::Receiver<()>,
}

impl AgentHandle {
    /// How the agent is now.
    #[must_use]
    pub fn state(&self) -> AgentState {
        *self.state.borrow()
    }

    /// Follows how the agent is.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<AgentState> {
        self.state.clone()
    }

    /// Takes no more commands, delivers what is buffered for at most `within`, closes the link and ends. What could not
    /// be delivered is in the answer.
    pub async fn shutdown(self, within: Duration) -> AgentState {
        self.stop.send_replace(Some(self.env.elapsed() + within));
        // An error means that the agent has ended, which is what is waited for.
        let _ended = self.done.await;
        let state = *self.state.borrow();
        if state.buffered_events > 0 {
            warn!(
                events = state.buffered_events,
                "the agent stopped before all events were acknowledged"
            );
        }
        AgentState {
            link: LinkState::Stopped,
            ..state
        }
    }
}
