//! The built z4j dashboard as embedded files.
//!
//! This crate holds bytes and facts about them; routing, headers and the choice of encoding are the
//! binary's. It builds without Node: with no `dist/client`, [`is_built`] is false and [`shell`]
//! is a page that says how to build the dashboard.
//!
//! ```
//! let page = z4j_ui::shell("nonce");
//! assert!(page.contains("<html"));
//! assert!(z4j_ui::asset("../Cargo.toml").is_none());
//! ```

mod asset;
mod shell;

pub use asset::{Asset, asset, is_built};
pub use shell::{script_hashes, script_hashes_below, shell, shell_below};
