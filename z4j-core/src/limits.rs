//! Every size, count and time limit of the wire and of what a frame may hold.
//!
//! The name says what is limited, the last word its unit, the comment where the number comes from:
//! "wire" is the protocol dossier, "reliability" the limits table of `reliability.md` §6.6.
//!
//! ```
//! use z4j_core::limits::{FRAME_BYTES_MAX, FRAME_SKEW_MAX};
//! assert_eq!(FRAME_BYTES_MAX, 1 << 20);
//! assert_eq!(FRAME_SKEW_MAX.as_secs(), 60);
//! ```

use std::time::Duration;

/// The only protocol version spoken, as the number in every frame (wire §3.1).
pub const PROTOCOL_VERSION: i64 = 2;
/// The protocol version as hello and hello_ack spell it (wire §3.5).
pub const PROTOCOL_VERSION_TEXT: &str = "2";

// ---- frames -------------------------------------------------------------------------------------

/// Largest frame that a brain takes and that an agent may be told to keep to, in bytes (wire §1, reliability).
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Smallest frame limit that a hello_ack may carry, in bytes (wire §4.2).
pub const FRAME_BYTES_OFFER_MIN: u32 = 1024;
/// Largest frame limit that a hello_ack may carry, in bytes (wire §4.2).
pub const FRAME_BYTES_OFFER_MAX: u32 = 64 << 20;
/// Deepest nesting of a frame that can be verified. Kept above [`VALUE_DEPTH_MAX`], because the protocol's own
/// vectors sign 100 nested arrays; what lies deeper than [`VALUE_DEPTH_MAX`] is masked by the redactor.
pub const CANONICAL_DEPTH_MAX: usize = 128;
/// Deepest nesting of an event's data that is kept; deeper values become the redaction marker (wire §9, reliability).
pub const VALUE_DEPTH_MAX: usize = 64;
/// Longest string inside an event that is looked at, in bytes (reliability).
pub const STRING_BYTES_MAX: usize = 256 << 10;
/// Largest redacted data of one event that is kept, in bytes (reliability §6.5).
pub const EVENT_DATA_BYTES_MAX: usize = 256 << 10;
/// Longest string that survives redaction, in bytes (wire §9).
pub const REDACTED_STRING_BYTES_MAX: usize = 8192;
/// Longest object key that is compared with key rules, in characters; longer keys count as sensitive (wire §9).
pub const KEY_CHARS_MAX: usize = 256;
/// Longest object key that is compared with extra key patterns, in characters (wire §9).
pub const EXTRA_PATTERN_KEY_CHARS_MAX: usize = 64;
/// Largest integer that every JSON reader keeps exactly: 2^53 - 1 (reliability).
pub const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;
/// Events in one event_batch (wire §4.3, reliability).
pub const EVENTS_PER_FRAME_MAX: usize = 5_000;

// ---- members of frames --------------------------------------------------------------------------

/// Length of a frame id in characters (wire §3.1).
pub const FRAME_ID_CHARS_MAX: usize = 64;
/// Length of a nonce in characters (wire §3.1).
pub const NONCE_CHARS_MAX: usize = 32;
/// Random bytes in a nonce that we make (wire §3.1).
pub const NONCE_BYTES: usize = 16;
/// Length of a protocol, agent or brain version text in characters (wire §4.1, §4.2).
pub const VERSION_CHARS_MAX: usize = 40;
/// Length of a framework name in characters (wire §4.1).
pub const FRAMEWORK_CHARS_MAX: usize = 40;
/// Entries in the engine, scheduler and feature lists of a hello (wire §4.1).
pub const HELLO_LIST_ENTRIES_MAX: usize = 64;
/// Length of a worker id in characters (wire §4.1).
pub const WORKER_ID_CHARS_MAX: usize = 128;
/// Length of a worker role in characters (wire §4.1).
pub const WORKER_ROLE_CHARS_MAX: usize = 32;
/// Length of an agent, project or session id text in characters (wire §4.2).
pub const SESSION_MEMBER_CHARS_MAX: usize = 64;
/// Length of an engine name in characters (wire §5.1).
pub const ENGINE_CHARS_MAX: usize = 40;
/// Length of a task id in characters (wire §5.1).
pub const TASK_ID_CHARS_MAX: usize = 200;
/// Largest buffer size or loss count in a heartbeat (wire §4.5).
pub const HEARTBEAT_COUNT_MAX: u64 = 10_000_000;
/// Largest failure streak in an agent_status (wire §4.6).
pub const STREAK_MAX: u64 = 1_000_000;
/// Engine and scheduler entries in an agent_status (wire §4.6).
pub const STATUS_LIST_ENTRIES_MAX: usize = 32;
/// Length of a buffer or runtime id in a telemetry_loss, in characters (wire §8.2).
pub const LOSS_ID_CHARS_MAX: usize = 64;
/// Adapters in a telemetry_loss (wire §8.2).
pub const LOSS_ADAPTERS_MAX: usize = 32;
/// Members of adapter_health that are kept (wire §8.1).
pub const HEALTH_KEYS_MAX: usize = 256;
/// Queues taken from one heartbeat (wire §8.1).
pub const HEALTH_QUEUES_MAX: usize = 1024;
/// Length of the name of a worker or queue that is shown, in bytes. Databases index names, and PostgreSQL refuses entries of over
/// 2,704 bytes.
pub const FLEET_NAME_BYTES_MAX: usize = 1_000;
/// Length of a command's action in characters (wire §4.7).
pub const ACTION_CHARS_MAX: usize = 80;
/// Longest time-out that a command may name, in seconds (wire §4.7).
pub const COMMAND_TIMEOUT_SECONDS_MAX: u32 = 3600;
/// Time-out of a command that names none, in seconds (wire §4.7).
pub const COMMAND_TIMEOUT_SECONDS_DEFAULT: u32 = 60;
/// Length of an error text in a command_result or error frame, in characters (wire §4.9, §4.11).
pub const ERROR_TEXT_CHARS_MAX: usize = 8192;
/// Length of an error frame's code in characters (wire §4.11).
pub const ERROR_CODE_CHARS_MAX: usize = 80;
/// Entries in each list of a registry_delta (wire §4.10).
pub const REGISTRY_ENTRIES_MAX: usize = 10_000;
/// Length of an error excerpt in a dead-letter list, in characters (wire §9).
pub const ERROR_EXCERPT_CHARS_MAX: usize = 512;

// ---- replay guard -------------------------------------------------------------------------------

/// Largest difference between a frame's time and ours that passes (wire §3.4).
pub const FRAME_SKEW_MAX: Duration = Duration::from_secs(60);
/// How long a nonce is remembered (wire §3.4).
pub const NONCE_MEMORY: Duration = Duration::from_secs(180);
/// Nonces remembered per session and direction; the oldest goes first (wire §3.4).
pub const NONCES_MAX: usize = 4096;

// ---- sessions -----------------------------------------------------------------------------------

/// How long a brain waits for hello, and an agent for hello_ack (wire §1, reliability).
pub const HELLO_WAIT: Duration = Duration::from_secs(10);
/// How long a brain keeps a link on which no frame arrives (wire §1, reliability).
pub const IDLE_WAIT: Duration = Duration::from_secs(90);
/// Heartbeat interval of a hello_ack that names none, in seconds (wire §4.2).
pub const HEARTBEAT_INTERVAL_SECONDS_DEFAULT: u32 = 10;
/// Longest heartbeat interval that a hello_ack may name, in seconds (wire §4.2).
pub const HEARTBEAT_INTERVAL_SECONDS_MAX: u32 = 3600;
/// A session that lived this long was good: back-off starts anew (reliability §2).
pub const GOOD_SESSION: Duration = Duration::from_secs(60);
/// Un-acknowledged event_batch frames of one agent connection (wire §5.3).
pub const UNACKED_BATCHES_MAX: usize = 256;
/// After this long an un-acknowledged batch is sent again (wire §5.3).
pub const ACK_WAIT: Duration = Duration::from_secs(90);
/// Connections of one agent credential (wire §1.1; reliability asks for at least 8).
pub const CONNECTIONS_PER_AGENT_MAX: usize = 64;
/// agent_status frames of one connection that are kept per minute (wire §4.6).
pub const STATUS_PER_MINUTE_MAX: u32 = 12;
/// Frames of one connection per second before reading is slowed (reliability).
pub const FRAMES_PER_SECOND_MAX: u32 = 2_000;
/// Burst above [`FRAMES_PER_SECOND_MAX`] (reliability).
pub const FRAMES_BURST_MAX: u32 = 5_000;
/// Un-committed bytes of one connection before reading stops (reliability).
pub const UNCOMMITTED_BYTES_PER_CONNECTION_MAX: usize = 4 << 20;
/// Un-committed bytes of one brain before reading stops (reliability).
pub const UNCOMMITTED_BYTES_MAX: usize = 256 << 20;
/// Answers to commands that wait in one brain for a store that did not take them at once.
pub const LATE_ANSWER_BYTES_MAX: usize = 16 << 20;
/// The part of them that one agent may fill, so that nobody's answers push out those of others. More than the largest answer.
pub const LATE_ANSWER_BYTES_PER_AGENT_MAX: usize = 2 << 20;
/// Connections of one brain (reliability).
pub const CONNECTIONS_MAX: usize = 10_000;
/// Handshakes that run at once (reliability §2).
pub const HANDSHAKES_MAX: usize = 64;

// ---- agent buffer -------------------------------------------------------------------------------

/// Entries of an agent's buffer (wire §2, reliability D9).
pub const BUFFER_ENTRIES_MAX: usize = 100_000;
/// Bytes of an agent's buffer (wire §2, reliability D9).
pub const BUFFER_BYTES_MAX: usize = 256 << 20;

// ---- secrets ------------------------------------------------------------------------------------

/// Shortest master secret and project key, in bytes (wire §2).
pub const SECRET_BYTES_MIN: usize = 32;
/// Longest bearer token that is hashed, in bytes; a longer one is refused without work.
pub const TOKEN_BYTES_MAX: usize = 512;
/// Longest regular expression a person may give, in characters (reliability).
pub const PATTERN_CHARS_MAX: usize = 256;

// ---- tasks --------------------------------------------------------------------------------------

/// Tags of one task that are kept.
pub const TASK_TAGS_MAX: usize = 32;

// ---- stores -------------------------------------------------------------------------------------
/// Rows of one page of a list (reliability).
pub const PAGE_ROWS_MAX: u32 = 500;
/// Longest error message in a task list, in bytes.
pub const SUMMARY_MESSAGE_BYTES_MAX: usize = 300;
/// Longest excerpt of a frame in the quarantine, in bytes.
pub const QUARANTINE_EXCERPT_BYTES_MAX: usize = 4096;
/// Frames of one project in the quarantine; the oldest goes first.
pub const QUARANTINE_ROWS_MAX: u32 = 1_000;
/// Runtimes of one agent whose declared loss is told apart; the oldest are summed up.
pub const LOSS_RUNTIMES_MAX: u32 = 256;
/// Longest announcement of a brain to the others, in bytes of text: PostgreSQL carries just under 8,000.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 7_000;
/// Longest description of a browser that is kept with a session, in bytes.
pub const USER_AGENT_BYTES_MAX: usize = 256;
/// Longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 200;

/// How long one read of a store may take before it is stopped (`reliability.md` §6.6, query time).
pub const READ_TIME_MAX: Duration = Duration::from_secs(5);

// ---- resumable streams --------------------------------------------------------------------------

/// Gaps that one frame may declare; an agent needs two at most (reliability D11).
pub const STREAM_GAPS_PER_FRAME_MAX: usize = 8;
/// Longest reason of a gap, in bytes.
pub const STREAM_GAP_REASON_BYTES_MAX: usize = 40;
/// Streams of one agent that are kept, the latest moved; one that was forgotten begins anew with a declared gap.
pub const STREAMS_PER_AGENT_MAX: u32 = 1_000;
