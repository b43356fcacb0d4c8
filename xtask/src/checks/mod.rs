//! Cheap checks of the tree itself: who may depend on whom, how long a file may be, which licences may come in.

mod files;
mod licences;
mod walls;

use crate::workspace::Workspace;

/// One named check; an error is one sentence, or one line for each place.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Workspace) -> anyhow::Result<()>,
}

/// cargo-deny itself, which not every machine has; `None` where it is not installed.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Option<Check> {
    crate::deny::installed(workspace)?;
    Some(Check {
        name: "cargo-deny finds nothing",
        run: licences::cargo_deny,
    })
}

/// Every check, cheapest first.
pub(crate) const ALL: &[Check] = &[
    Check {
        name: "no source file is longer than 400 lines",
        run: files::lengths,
    },
    Check {
        name: "only binaries read the environment",
        run: files::environment_reads,
    },
    Check {
        name: "no source file names a folder of one machine",
        run: files::machine_paths,
    },
    Check {
        name: "the core knows no runtime, socket, SQL or HTTP",
        run: walls::core,
    },
    Check {
        name: "the agent knows no server and no database",
        run: walls::agent,
    },
    Check {
        name: "the brain names no database",
        run: walls::brain,
    },
    Check {
        name: "nothing that ships reaches the testkit",
        run: walls::testkit_stays_out,
    },
    Check {
        name: "every licence in the lock file is on the list of deny.toml",
        run: licences::allowed,
    },
];
