//! Which fault a connection meets.

use std::time::Duration;

use super::Chance;

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// What the client sends: an agent, or a brain that asks its database.
    ToUpstream,
    /// What comes back.
    ToClient,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyFault {
    /// Both ends see a reset once so many bytes passed, in both directions together.
    Cut {
        /// How many.
        after_bytes: u64,
    },
    /// Both ends see a reset after so long.
    CutLater {
        /// How long.
        after: Duration,
    },
    /// One direction ends in order after so many of its bytes; the other goes on.
    HalfClose {
        /// Which direction ends.
        way: Way,
        /// How many.
        after_bytes: u64,
    },
    /// After so many bytes of one direction its further bytes are swallowed. Nobody is told.
    BlackHole {
        /// Which direction is swallowed.
        way: Way,
        /// How many pass before.
        after_bytes: u64,
    },
    /// Every piece waits before it is passed on, in both directions.
    Delay {
        /// How long.
        each: Duration,
    },
    /// Each direction passes so many bytes in a second at most.
    Throttle {
        /// How many.
        bytes_per_second: u64,
    },
}

/// The kinds of [`ProxyFault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// [`ProxyFault::Cut`].
    Cut,
    /// [`ProxyFault::CutLater`].
    CutLater,
    /// [`ProxyFault::HalfClose`].
    HalfClose,
    /// [`ProxyFault::BlackHole`].
    BlackHole,
    /// [`ProxyFault::Delay`].
    Delay,
    /// [`ProxyFault::Throttle`].
    Throttle,
}

impl FaultKind {
    const ALL: [Self; 6] = [
        Self::Cut,
        Self::CutLater,
        Self::HalfClose,
        Self::BlackHole,
        Self::Delay,
        Self::Throttle,
    ];
}

/// Which faults a proxy brings.
#[derive(Clone, Debug)]
#[must_use]
pub struct ProxyPlan {
    seed: u64,
    kinds: Vec<FaultKind>,
    always: Option<ProxyFault>,
    mean_bytes: u64,
    mean_time: Duration,
    pub(super) connections_max: usize,
    pub(super) lifetime: Duration,
}

impl ProxyPlan {
    /// No fault at all.
    pub const fn transparent() -> Self {
        Self {
            seed: 0,
            kinds: Vec::new(),
            always: None,
            mean_bytes: 64 << 10,
            mean_time: Duration::from_secs(5),
            connections_max: 1_024,
            lifetime: Duration::from_secs(3_600),
        }
    }

    /// Every connection meets one fault of any kind, as the seed decides: on average after 64 KiB or five seconds.
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            kinds: FaultKind::ALL.to_vec(),
            ..Self::transparent()
        }
    }

    /// Every connection meets this fault.
    pub fn always(fault: ProxyFault) -> Self {
        Self {
            always: Some(fault),
            ..Self::transparent()
        }
    }

    /// With these kinds of fault only.
    pub fn with_only(mut self, kinds: &[FaultKind]) -> Self {
        self.kinds = kinds.to_vec();
        self
    }

    /// With faults after so many bytes on average, at least one.
    pub const fn with_mean_bytes(mut self, bytes: u64) -> Self {
        self.mean_bytes = bytes;
        self
    }

    /// With faults that come with time after so long on average.
    pub const fn with_mean_time(mut self, time: Duration) -> Self {
        self.mean_time = time;
        self
    }

    /// With so many connections at once at most; more are closed when they come.
    pub const fn with_connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// The proxy stops by itself after so long.
    pub const fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The fault of the connection with this number.
    #[must_use]
    pub fn fault_of(&self, connection: u64) -> Option<ProxyFault> {
        if self.always.is_some() {
            return self.always;
        }
        let mut chance = Chance::for_purpose(self.seed, &format!("connection {connection}"));
        let kind = self.kinds.get(chance.index(self.kinds.len())).copied()?;
        let after_bytes = 1 + chance.below(self.mean_bytes.saturating_mul(2));
        let time = chance.between(Duration::from_millis(1), self.mean_time * 2);
        let way = if chance.one_in(2) {
            Way::ToUpstream
        } else {
            Way::ToClient
        };
        Some(match kind {
            FaultKind::Cut => ProxyFault::Cut { after_bytes },
            FaultKind::CutLater => ProxyFault::CutLater { after: time },
            FaultKind::HalfClose => ProxyFault::HalfClose { way, after_bytes },
            FaultKind::BlackHole => ProxyFault::BlackHole { way, after_bytes },
            FaultKind::Delay => ProxyFault::Delay {
                each: time.min(Duration::from_millis(200)),
            },
            FaultKind::Throttle => ProxyFault::Throttle {
                bytes_per_second: self.mean_bytes.max(1),
            },
        })
    }
}
