//! Layer B: a whole session over pipes in memory, cut after byte k, for every k, in both directions.
//!
//! A session is: the upgrade, hello and its answer, signs of life, batches of events and their acks, a command that may
//! be sent again and one that may not, their results. [`ByteCutter::record`] says how many bytes that is in each
//! direction; [`ByteCutter::cut_each`] plays it again and again and drops the connection after the given numbers of them.
//! The agent connects anew, and in the end everything is stored once, no frame by halves, and the commands are settled.
//! Time is virtual and stands still while anybody works, so that a session takes milliseconds.
//!
//! ```
//! use z4j_testkit::cutter::{ByteCutter, Delivery, Way};
//!
//! let cutter = ByteCutter::new(Delivery::Rust);
//! let whole = cutter.record()?;
//! let in_hello = whole.to_brain / 4;
//! cutter.cut_each(Way::ToBrain, in_hello..in_hello + 3, |report| {
//!     assert!(report.violations.is_empty(), "{report}");
//! })?;
//! # Ok::<(), z4j_testkit::glue::GlueError>(())
//! ```
//!
//! A transport of your own dials through [`PipeDialler`]; [`ByteCutter::with_transport`] takes it.

mod bench;
mod clock;
mod pipe;
mod report;
mod session;

pub use bench::{ByteCutter, Delivery};
pub use clock::PausedClock;
pub use pipe::{PipeDialler, PipeListener, Way};
pub use report::{CutReport, Recording};
