//! Layer T: real HTTP and WebSocket code over a simulated TCP network, in virtual time.
//!
//! What runs is what ships: [`Brain::router`](z4j_brain::Brain::router) under hyper, the Rust agent with its
//! tokio-tungstenite socket, and agents that deliver as the published ones do. Only TCP is simulated
//! ([turmoil](https://docs.rs/turmoil)), so links can be cut both ways or one way, held up and let go, and machines
//! crashed and started again, minutes of it in a second, and all of it decided by one seed.
//!
//! ```
//! use std::time::Duration;
//! use z4j_testkit::tcp::TcpSim;
//!
//! let report = TcpSim::new(7).with_fault_time(Duration::from_secs(30)).run()?;
//! assert!(report.violations.is_empty(), "{report}");
//! # Ok::<(), z4j_testkit::glue::GlueError>(())
//! ```
//!
//! # Your own transport
//! Whoever writes a [`Transport`](z4j_core::transport::Transport) over TCP lets it dial through
//! [`TurmoilDialler`], which opens simulated streams, and gives it to [`TcpSim::with_transport`]. All agents of the run
//! then use it, and everything that is checked is checked of it. The store may be replaced too
//! ([`TcpSim::with_store`]), by one that does not wait for anything outside virtual time.
//!
//! # What it cannot do
//! Simulated TCP sends nothing twice: bytes that meet a partition are gone, and that link stays dead after the
//! partition is over. A partition therefore stands for a lost machine or a lost network, and a hold for a slow one.
//! Frames are never duplicated or reordered by the network.
//!
//! # Replay
//! A seed decides a run. Replay one in a process of its own: numbers that a process counts, such as task ids, decide the
//! order in which a crash drops things.

mod clock;
mod faults;
mod hosts;
mod net;
mod report;
mod sim;
mod stage;

pub use clock::SimClock;
pub use faults::{Fault, FaultKind};
pub use net::{TurmoilDialler, TurmoilListener};
pub use report::TcpReport;
pub use sim::{TcpSim, TransportFactory};
