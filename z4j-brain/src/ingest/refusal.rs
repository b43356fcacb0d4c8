//! Why something was refused, in the words of the agent's page.

use z4j_core::wire::Refusal;

/// Why something that an agent sent was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusalNote {
    /// A stable word of a fixed list.
    pub(crate) code: &'static str,
    /// One sentence for a person.
    pub(crate) message: String,
    /// The agent's clock minus ours in milliseconds, when that was the reason.
    pub(crate) skew_ms: Option<i64>,
}

impl RefusalNote {
    /// A note without a clock difference.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            skew_ms: None,
        }
    }

    /// A frame that ended its link.
    pub(crate) fn frame(refusal: &Refusal) -> Self {
        let (code, message) = match refusal {
            Refusal::Hmac => (
                "bad_signature",
                "A frame's signature is wrong. The agent's Z4J_HMAC_SECRET is not this project's.",
            ),
            Refusal::Seq => ("bad_sequence", "A frame came twice or out of order."),
            Refusal::Nonce => (
                "replayed_frame",
                "A frame has no nonce, or one that was used before.",
            ),
            Refusal::Ts => ("stale_frame", "A frame does not say when it was sent."),
            Refusal::Stale { skew_ms } => return Self::skewed(*skew_ms),
            Refusal::NotJson(_) => ("not_json", "A frame is not JSON."),
            Refusal::BadVersion | Refusal::OtherVersion | Refusal::OtherProtocol => (
                "bad_version",
                "The agent speaks another version of the protocol than 2.",
            ),
            Refusal::UnknownType => (
                "unknown_frame_type",
                "A frame has a type that protocol 2 does not know.",
            ),
            Refusal::NotHello => (
                "bad_hello",
                "The first frame was no hello, or a hello came later.",
            ),
            Refusal::TooBig => ("frame_too_large", "A frame is larger than the brain takes."),
            _ => (
                "malformed_frame",
                "A frame does not have the members that its type requires.",
            ),
        };
        Self::new(code, message)
    }

    /// An event that can never be stored.
    pub(crate) fn event(reason: &'static str) -> Self {
        Self::new(
            "malformed_event",
            format!(
                "An event cannot be stored ({reason}). It was acknowledged and kept in the quarantine."
            ),
        )
    }

    fn skewed(skew_ms: i64) -> Self {
        let (tenths, way) = (
            skew_ms.unsigned_abs() / 100,
            if skew_ms > 0 { "ahead of" } else { "behind" },
        );
        let message = format!(
            "The agent's clock is {}.{} s {way} this server's. More than 60 s cannot work: set both clocks by NTP.",
            tenths / 10,
            tenths % 10
        );
        Self {
            skew_ms: Some(skew_ms),
            ..Self::new("clock_skew", message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skewed_clock_is_named_with_its_seconds_and_direction() {
        let note = RefusalNote::frame(&Refusal::Stale { skew_ms: -75_250 });
        assert_eq!(note.code, "clock_skew");
        assert!(note.message.contains("75.2 s behind"), "{}", note.message);
        assert_eq!(note.skew_ms, Some(-75_250));
        let ahead = RefusalNote::frame(&Refusal::Stale { skew_ms: 61_000 });
        assert!(ahead.message.contains("61.0 s ahead"), "{}", ahead.message);
    }
}
