//! Layer B: a whole session over pipes in memory, cut after byte k, for every k, in both directions.
//!
//! A session is: the upgrade, hello and its answer, signs of life, batches of events and their acks, a command that may
//! be sent again and one that may not, their results. [`ByteCutter::record`] says how many bytes that is in each
//! direction; [`ByteCutter::cut`] plays it again and drops the connection after the given number of them. The agent
//! connects anew, and in the end everything is stored once, no frame by halves, and the commands are settled. Time is
//! virtual and stands still while anybody works, so that a run takes milliseconds.
//!
//! ```
//! use z4j_testkit::cutter::{ByteCutter, Delivery, Way};
//!
//! let cutter = ByteCutter::new(Delivery::Rust);
//! let whole = cutter.record()?;
//! let report = cutter.cut(Way::ToBrain, whole.to_brain / 2)?;
//! assert!(report.violations.is_empty(), "{report}");
//! # Ok::<(), z4j_testkit::glue::GlueError>(())
//! ```
//!
//! A transport of your own dials through [`PipeDialler`]; [`ByteCutter::with_transport`] takes it.

mod clock;
mod pipe;
mod report;
mod session;

pub use clock::PausedClock;
pub use pipe::{PipeDialler, PipeListener, Way};
pub use report::{CutReport, Recording};
pub use session::{ByteCutter, Delivery};
