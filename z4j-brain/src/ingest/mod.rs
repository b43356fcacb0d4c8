//! The path of an event: decode, redact, commit together with others, acknowledge, publish.
//!
//! Verification happens before, on the link, because a refused frame ends it. An ack is a promise that the frame is
//! durable: it is made in one place ([`settle`]) and only from what a successful commit returned.

mod commit;
mod committer;
mod decode;
mod frame;
mod gather;
mod heartbeat;
mod loss;
mod redact;
mod refusal;
mod reports;
mod settle;
mod sighting;
mod under_way;
mod waiting;
mod worker_details;

pub(crate) use committer::Committer;
pub(crate) use decode::Decoder;
pub(crate) use frame::{LinkBudget, PendingFrame, Permits};
pub(crate) use heartbeat::{Heard, Vitals};
pub(crate) use redact::{is_free_of_secrets, redact_json_text, redact_text};
pub(crate) use refusal::RefusalNote;
pub(crate) use reports::{Reports, publish_workers};
pub(crate) use under_way::UnderWay;
