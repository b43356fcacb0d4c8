//! The wire: frames of protocol v2, their canonical form, MAC, verifier and signer.
//!
//! ```
//! use z4j_core::env::Env;
//! use z4j_core::keys::SecretKey;
//! use z4j_core::wire::{CommandAck, Frame, FrameType, Received, SessionBinding, Signer, Verifier};
//!
//! let (env, key) = (Env::system(), SecretKey::from_bytes(vec![7; 32]));
//! let session = SessionBinding {
//!     agent_id: "a".into(),
//!     project_id: "p".into(),
//!     session_id: "s".into(),
//! };
//! let mut signer = Signer::new(&key, session.clone(), env.clone());
//! let mut verifier = Verifier::new(&key, session);
//!
//! let frame = signer.sign(FrameType::CommandAck, "command-1", &CommandAck::default())?;
//! let verified = verifier.verify(&frame, Received::now(&env))?;
//! assert_eq!(verified.id, "command-1");
//! assert!(matches!(verified.decode()?, Frame::CommandAck(_)));
//! assert_eq!(verifier.verify(&frame, Received::now(&env)).unwrap_err().reason(), "seq");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch_stream;
mod canon;
mod close;
mod codec;
mod command;
mod control;
mod envelope;
mod event;
mod frame;
mod guard;
mod handshake;
mod mac;
mod number;
mod raw;
mod refusal;
mod scan;
mod scan_text;
mod sign;
mod verify;

/// Notes about JSON text, for the other modules of this crate that read or rewrite it.
pub(crate) mod notes {
    pub(crate) use super::canon::{members_of, text_of, unescape, write_text};
    pub(crate) use super::scan::{Kind, Node, Tape};
}

pub use batch_stream::{BatchGap, BatchStream};
pub use canon::canonical_value;
pub use close::CloseCode;
pub use codec::{
    ack_frame_id, decode_hello, decode_hello_ack, encode_hello, encode_hello_ack, new_frame_id,
};
pub use command::{Command, CommandAck, CommandResult, CommandStatus};
pub use control::{AgentStatus, ErrorFrame, Heartbeat, RegistryDelta, TelemetryLoss};
pub use envelope::Verified;
pub use event::{BatchEntry, Event, EventBatch, EventBatchAck};
pub use frame::{Frame, FrameType, UnknownFrameType};
pub use guard::{Received, ReplayGuard, Stamp};
pub use handshake::{Hello, HelloAck, HelloAckStream, HelloStream, HostInfo, RESUMABLE_STREAM};
pub use mac::{SessionBinding, frame_mac, signed_bytes};
pub use raw::{DecodeError, RawJson};
pub use refusal::{JsonError, Refusal, RefusalClass};
pub use sign::{SignError, Signer};
pub use verify::Verifier;
