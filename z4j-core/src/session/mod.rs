//! The life of one link, as pure machines for both ends: what arrives goes in, what to do comes out.
//!
//! Neither end knows sockets or sleeps. Time comes in with every call; see [`BrainSession::deadline`] and
//! [`AgentSession::deadline`] for when to call `on_time`.
//!
//! ```
//! use z4j_core::env::Env;
//! use z4j_core::id::{AgentId, LinkId, ProjectId};
//! use z4j_core::keys::SecretKey;
//! use z4j_core::session::{AgentInput, AgentSession, BrainInput, BrainSession, Grant};
//! use z4j_core::wire::{FrameType, Heartbeat, Hello, Received};
//!
//! let (env, key) = (Env::system(), SecretKey::from_bytes(vec![7; 32]));
//! let now = || Received::now(&env);
//! let mut brain = BrainSession::new(env.elapsed());
//! let mut agent = AgentSession::new(key.clone(), env.clone());
//!
//! let hello = agent.hello(&Hello::new("1.13.0", "bare"))?;
//! assert!(matches!(brain.on_frame(&hello, now())?, BrainInput::Hello(_)));
//! let grant = Grant::new(AgentId::from_u128(1), ProjectId::from_u128(2), LinkId::from_u128(3), key);
//! let accepted = brain.accept(&grant, &env)?;
//!
//! let AgentInput::Established(live) = agent.on_frame(&accepted.hello_ack, now())? else { panic!() };
//! let mut signer = live.signer;
//! let beat = signer.sign(FrameType::Heartbeat, "hb_1", &Heartbeat::default())?;
//! let BrainInput::Frame(frame) = brain.on_frame(&beat, now())? else { panic!() };
//! assert_eq!(frame.kind, FrameType::Heartbeat);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agent;
mod backoff;
mod brain;

pub use agent::{AgentInput, AgentSession, Established, Failure, FailureClass};
pub use backoff::{Backoff, BackoffPolicy, Jitter, Schedule};
pub use brain::{Accepted, BrainInput, BrainSession, Close, Grant, NotAccepting};
