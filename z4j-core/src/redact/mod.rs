//! Redaction: nothing that looks like a secret is kept.
//!
//! A [`Redactor`] decides, this module walks. What passed through is [`Redacted`], and stores and frames take nothing
//! else. JSON that holds nothing to hide stays the bytes it was; numbers keep their spelling even in rewritten JSON.
//!
//! ```
//! use z4j_core::redact::{DefaultRedactor, Raw, redact_json};
//! use z4j_core::wire::RawJson;
//!
//! let data = RawJson::parse(r#"{"user": "ann", "db_password": "hunter2", "n": 12345678901234567890}"#)?;
//! let kept = redact_json(&DefaultRedactor::strict(), "app.login", Raw::new(data));
//! assert_eq!(&**kept.get(), r#"{"user": "ann", "db_password": "[REDACTED]", "n": 12345678901234567890}"#);
//! # Ok::<(), z4j_core::wire::DecodeError>(())
//! ```

mod cards;
mod config;
mod default;
mod field;
mod judge;
mod keys;
mod layers;
mod needles;
mod printed;
mod runs;
mod shapes;
mod suspects;
mod text;
mod values;
mod walk;
mod wrap;

pub use config::{PatternError, RedactConfig};
pub use default::{DefaultRedactor, SurveyWork};
pub use field::{FieldContext, FieldDecision, FieldValue, PolicyId, Redactor, Survey};
pub use text::{error_excerpt, mask_url_password};
pub use walk::{redact_json, redact_text, redact_value};
pub use wrap::{Raw, Redacted};

/// What stands where a secret was.
pub const MARKER: &str = "[REDACTED]";
