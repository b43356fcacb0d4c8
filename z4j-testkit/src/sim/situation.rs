//! Situations that a set of seeds must have met: what never happens proves nothing.

macro_rules! situations {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal),+ $(,)?) => {
        /// Something interesting that happened in a run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Situation {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Situation {
            /// Every situation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name in reports.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

situations! {
    /// A brain died between the commit of a frame and its ack.
    CrashBeforeAck = "crash between commit and ack",
    /// An event that was stored came again and was absorbed.
    ResendAbsorbed = "resend of a stored event absorbed",
    /// A frame was sent again on the same link after ninety seconds.
    ResentAfterWait = "batch sent again on the same link",
    /// A commit was made and its answer lost.
    CommitAnswerLost = "commit answer lost",
    /// The store failed before a commit.
    CommitFailed = "commit failed",
    /// The store kept a write waiting for a second or more.
    StoreStalled = "store stalled",
    /// The store took no writes for a while.
    StoreDown = "store down",
    /// A brain said that it is not ready, because of its database.
    NotReady = "brain not ready",
    /// A full buffer dropped its oldest events.
    Evicted = "eviction",
    /// An entry that cannot be stored stood among good ones.
    PoisonInBatch = "poison inside a batch",
    /// Two links of one process were open at once.
    TwoSessions = "two sessions of one process",
    /// A recorded frame came again on its own link.
    ReplaySameSession = "replay into the same session",
    /// A recorded frame came on a later link of its process.
    ReplayNewSession = "replay into a new session",
    /// A recorded frame came on a link to another brain.
    ReplayOtherBrain = "replay to another brain",
    /// A recorded frame came back to its sender.
    ReplayOtherDirection = "replay in the other direction",
    /// A recorded frame of another process came.
    ReplayOtherProcess = "replay on another process's link",
    /// A frame was delivered twice.
    Duplicated = "frame duplicated",
    /// A frame overtook another.
    Reordered = "frames reordered",
    /// A frame arrived with a flipped bit.
    Flipped = "bit flipped",
    /// A frame arrived cut.
    Truncated = "frame truncated",
    /// A frame vanished.
    Lost = "frame lost",
    /// An ack vanished.
    AckLost = "ack lost",
    /// An ack came after more than eighty seconds.
    AckLate = "ack late",
    /// Frames that a partition held back came after it.
    LateBurst = "late burst after a partition",
    /// A link died without a word.
    HalfOpen = "half-open link",
    /// A link was closed because its peer was silent.
    ClosedAsSilent = "link closed as silent",
    /// A brain was stopped in order.
    OrderlyStop = "brain stopped in order",
    /// A Rust agent's stream went on where the store had it.
    StreamResumed = "stream resumed",
    /// A Rust agent declared positions of its stream as lost.
    GapDeclared = "gap declared",
    /// A process with a memory buffer died.
    MemoryLost = "memory buffer lost",
    /// A process died and came back with its buffer on disk.
    DiskKept = "disk buffer survived",
    /// A sibling took over the buffer of a dead process.
    Adopted = "buffer adopted by a sibling",
    /// A process changed to another brain.
    Moved = "process moved to another brain",
    /// The clocks of an agent and a brain differed by more than a frame may.
    SkewRefused = "clock skew refused",
    /// The clock of a brain jumped by an hour.
    BrainClockJump = "brain clock jumped",
    /// A command was completed.
    CommandCompleted = "command completed",
    /// A command's outcome is not known.
    CommandUnknown = "command unknown",
    /// A late answer settled a command whose outcome was not known.
    UnknownSettled = "late answer settled an unknown command",
    /// A command's deadline passed before any link took it.
    CommandTimedOut = "command timed out",
    /// A command that may be sent again was sent on a second link.
    CommandSentAgain = "safe command sent again",
    /// A brain asked for the lease while another held it.
    LeaseRefused = "lease refused",
    /// The lease went from one brain to another.
    LeaseTaken = "lease taken over",
    /// A write of a brain that was buried, or that had lost its lease, was refused.
    FencedWrite = "fenced write refused",
    /// A brain that had stopped beating was buried by another.
    BrainBuried = "dead brain buried",
    /// A second-hand report was left to the worker's own process.
    SecondHandLeft = "second-hand report left to its owner",
    /// A second-hand report was stored because the owner was not there.
    SecondHandKept = "second-hand report stored",
    /// A dashboard came back and was told what it had missed, or what came next.
    LiveResumed = "live client resumed",
    /// A dashboard was told to fetch anew.
    LiveReset = "live client reset",
    /// Two faults were in force at once.
    TwoFaults = "two faults at once",
}
