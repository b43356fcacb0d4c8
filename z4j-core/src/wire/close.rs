//! Close codes of the agent socket.

/// Why a socket was closed (wire §1.1). The agent's class of reconnect depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// 1000: nothing more to say.
    Normal,
    /// 1001: the brain stops.
    GoingAway,
    /// 1009: the WebSocket layer refused the size.
    MessageTooBig,
    /// 1011: a frame on a live session that the protocol does not know.
    Internal,
    /// 4002: a newer connection took the same worker slot.
    Replaced,
    /// 4003: token revoked or project archived while the session was live.
    Revoked,
    /// 4400: first frame is no hello, unparseable, or a frame is too big.
    BadRequest,
    /// 4401: bad, unknown or revoked token.
    Unauthorized,
    /// 4403: source address refused, or a frame failed its MAC or the replay guard.
    Forbidden,
    /// 4408: no frame for too long.
    Idle,
    /// 4426: the protocol version of the hello is not spoken here.
    ProtocolVersion,
    /// 4427: the agent's version is outside the supported range. Never sent today.
    AgentVersion,
    /// 4429: too many connects, or too many workers of one agent.
    TooMany,
    /// Any other code.
    Other(u16),
}

impl CloseCode {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::MessageTooBig => 1009,
            Self::Internal => 1011,
            Self::Replaced => 4002,
            Self::Revoked => 4003,
            Self::BadRequest => 4400,
            Self::Unauthorized => 4401,
            Self::Forbidden => 4403,
            Self::Idle => 4408,
            Self::ProtocolVersion => 4426,
            Self::AgentVersion => 4427,
            Self::TooMany => 4429,
            Self::Other(code) => code,
        }
    }

    /// The meaning of a number from the wire.
    #[must_use]
    pub const fn from_code(code: u16) -> Self {
        match code {
            1000 => Self::Normal,
            1001 => Self::GoingAway,
            1009 => Self::MessageTooBig,
            1011 => Self::Internal,
            4002 => Self::Replaced,
            4003 => Self::Revoked,
            4400 => Self::BadRequest,
            4401 => Self::Unauthorized,
            4403 => Self::Forbidden,
            4408 => Self::Idle,
            4426 => Self::ProtocolVersion,
            4427 => Self::AgentVersion,
            4429 => Self::TooMany,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_keeps_its_meaning_both_ways() {
        for code in 0..=u16::MAX {
            assert_eq!(CloseCode::from_code(code).code(), code);
        }
    }
}
