//! Crates outside the workspace, built as a third party builds them.

use std::process::Command;

use anyhow::bail;

use crate::process;
use crate::tally::Tally;
use crate::test::{Findings, counted};
use crate::workspace::Workspace;

const MANIFEST: &str = "examples/stores/Cargo.toml";
/// The case that names what the bad store does, and the words that it must say.
const BROKEN_PROMISE: (&str, &str) = (
    "test ok_means_written ... FAILED",
    "broken promise: `Ok` from ingest means that the batch is written",
);

/// The good store passes the conformance suite; the one that acknowledges before it writes fails by name.
pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Findings> {
    let mut good = cargo_test(workspace, "counting");
    let (status, lines) = process::run_reading_along(&mut good, "the conformance of a good store")?;
    let mut findings = counted(&lines, status.success(), "a case for a store that is sound")?;
    if findings.trouble.is_none() {
        must_fail_by_name(workspace)?;
        findings.tally += Tally::ONE_PASSED;
    }
    Ok(findings)
}

/// In the workspace's target directory, so that what both need is built once.
fn cargo_test(workspace: &Workspace, test: &str) -> Command {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--manifest-path", MANIFEST, "--test", test]);
    cargo.env("CARGO_TARGET_DIR", workspace.target(""));
    cargo
}

fn must_fail_by_name(workspace: &Workspace) -> anyhow::Result<()> {
    let mut bad = cargo_test(workspace, "hasty");
    bad.env("RUST_BACKTRACE", "0");
    let output = bad.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let (case, promise) = BROKEN_PROMISE;
    if output.status.success() {
        bail!("a store that acknowledges before it writes passes the conformance suite");
    }
    for wanted in [case, promise] {
        if !said.contains(wanted) {
            bail!(
                "the suite refuses the store that acknowledges before it writes, but does not say {wanted:?}"
            );
        }
    }
    println!("a store that acknowledges before it writes fails: {promise}");
    Ok(())
}
