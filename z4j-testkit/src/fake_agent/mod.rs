//! A scriptable agent: it speaks protocol v2 over a real socket, and does wrong whatever a test tells it to.
//!
//! It signs with the same code as every other agent, so what it sends is right unless it is told otherwise: withhold,
//! repeat and reorder by signing first ([`FakeAgent::sign`]) and sending later ([`FakeAgent::send_raw`]), spoil with
//! [`spoil`], age with [`FakeAgent::shift_clock`], cut the socket at a byte with [`FakeAgent::cut_after_bytes`].
//!
//! ```no_run
//! use std::time::Duration;
//! use z4j_testkit::fake_agent::{FakeAgent, FakeAgentConfig, FakeTask};
//!
//! # async fn script() -> Result<(), Box<dyn std::error::Error>> {
//! let config = FakeAgentConfig::new("http://127.0.0.1:7700", "token", "hmac_secret")?
//!     .with_hello(|hello| hello.host.name = Some("box-1".to_owned()));
//! let mut agent = FakeAgent::connect(config).await?;
//!
//! let task = FakeTask::new("celery", "task-1", "shop.charge");
//! let batch = agent.send_events(&task.succeeds()).await?;
//! let ack = agent.wait_ack(&batch, Duration::from_secs(5)).await?;
//! assert_eq!(ack.accepted, 3);
//!
//! let command = agent.wait_command(Duration::from_secs(5)).await?;
//! agent.ack_command(&command).await?;
//! agent.succeed_command(&command, &serde_json::json!({"new_task_id": "task-2"})).await?;
//!
//! agent.heartbeat().await?;
//! agent.close().await;
//! # Ok(())
//! # }
//! ```

mod agent;
mod clock;
mod config;
mod cut;
mod error;
mod event;
mod halves;
pub mod spoil;

pub use agent::FakeAgent;
pub use config::FakeAgentConfig;
pub use error::FakeAgentError;
pub use event::{FakeEvent, FakeTask};
pub use halves::{FakeCommand, FakeReceiver, FakeSender, Incoming};

#[cfg(test)]
mod tests;
