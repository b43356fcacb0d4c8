//! Open files: each link is one here and one in the brain.

use anyhow::{Context, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What sockets, files and libraries need besides the links.
const SPARE: u64 = 256;

/// Raises the soft limit of open files to the hard one; processes started from here inherit it.
pub(crate) fn raise() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("the limit of open files could not be raised")
}

/// Says what to do when the limit does not allow `links` links.
pub(crate) fn check(links: usize) -> anyhow::Result<()> {
    let needed = u64::try_from(links)? + SPARE;
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    ensure!(
        allowed >= needed,
        "{links} links need {needed} open files and this shell allows {allowed}: raise the hard limit (ulimit -Hn {needed}, or LimitNOFILE= of the service) and run again"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_links_than_open_files_are_refused_with_what_to_do() {
        raise().unwrap();
        check(1).unwrap();
        if let Some(allowed) = getrlimit(Resource::Nofile).current {
            let sentence = check(usize::try_from(allowed).unwrap()).unwrap_err();
            assert!(sentence.to_string().contains("ulimit -Hn"), "{sentence}");
        }
    }
}
