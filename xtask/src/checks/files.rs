//! Checks that read source files line by line.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::stamp::files_below;
use crate::workspace::Workspace;

const LINES_MAX: usize = 400;
const SOURCES: &[&str] = &["rs", "ts", "tsx", "mjs", "py", "css", "sql"];
const LEFT_OUT: &[&str] = &[
    "target",
    "node_modules",
    "dist",
    ".git",
    ".tanstack",
    ".output",
    "coverage",
];

/// Written by a generator, so not written to be read.
const GENERATED: &[&str] = &["ui/src/api/schema.d.ts", "ui/src/routeTree.gen.ts"];

/// Programs, not libraries: these may read the environment. The testkit is one as far as it finds servers for tests.
const PROGRAMS: &[&str] = &["bins", "xtask", "benches", "ui", "z4j-testkit"];

pub(super) fn lengths(workspace: &Workspace) -> anyhow::Result<()> {
    let mut long = Vec::new();
    for (name, text) in sources(workspace)? {
        let lines = text.lines().count();
        if lines > LINES_MAX
            && !GENERATED
                .iter()
                .any(|generated| name == Path::new(generated))
        {
            long.push(format!("{} has {lines} lines", name.display()));
        }
    }
    none_of(&long, "split by idea, not by size")
}

pub(super) fn environment_reads(workspace: &Workspace) -> anyhow::Result<()> {
    let mut reads = Vec::new();
    for (name, text) in sources(workspace)? {
        if is_library_code(&name) {
            reads.extend(
                reads_of_environment(&text).map(|line| format!("{}:{line}", name.display())),
            );
        }
    }
    none_of(
        &reads,
        "a library takes its settings as values; bins/ reads the environment",
    )
}

pub(super) fn machine_paths(workspace: &Workspace) -> anyhow::Result<()> {
    // In pieces, so that this file does not find itself.
    let marks = [concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    let mut found = Vec::new();
    for (name, text) in sources(workspace)? {
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| marks.iter().any(|mark| names_folder(line, mark)));
        found.extend(lines.map(|(index, _)| format!("{}:{}", name.display(), index + 1)));
    }
    none_of(&found, "a path of one machine means nothing on another")
}

/// Whether the mark starts a path: a route such as `/api/home/` does not count.
fn names_folder(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        before.is_none_or(|character| {
            character.is_whitespace() || matches!(character, '"' | '\'' | '`' | '(' | '=')
        })
    })
}

/// Line numbers that read the environment, comments left out.
fn reads_of_environment(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.lines().enumerate().filter_map(|(index, line)| {
        let code = line.split("//").next().unwrap_or_default();
        let reads = [
            "env::var",
            "env::set_var",
            "env::remove_var",
            "env::args",
            "env::current_dir",
        ];
        reads
            .iter()
            .any(|read| code.contains(read))
            .then_some(index + 1)
    })
}

fn is_library_code(name: &Path) -> bool {
    let mut parts = name.iter().filter_map(|part| part.to_str());
    let program = parts
        .clone()
        .next()
        .is_some_and(|first| PROGRAMS.contains(&first));
    let library = parts.any(|part| part == "src")
        && !name
            .iter()
            .any(|part| part == "tests" || part == "examples");
    library && !program && name.extension().is_some_and(|extension| extension == "rs")
}

/// Every source file of the tree with its path below the root.
fn sources(workspace: &Workspace) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for path in files_below(workspace.root(), LEFT_OUT)? {
        let is_source = path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| SOURCES.contains(&extension));
        if is_source {
            let name = path.strip_prefix(workspace.root())?.to_path_buf();
            found.push((
                name,
                String::from_utf8_lossy(&fs::read(&path)?).into_owned(),
            ));
        }
    }
    if found.is_empty() {
        bail!(
            "no source file was found below {}",
            workspace.root().display()
        );
    }
    Ok(found)
}

fn none_of(places: &[String], why: &str) -> anyhow::Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    bail!("{why}:\n  {}", places.join("\n  "))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{is_library_code, names_folder, reads_of_environment};

    #[test]
    fn a_read_is_found_and_a_comment_about_one_is_not() {
        let text = "let a = std::env::var(\"A\");\n// env::var is banned\nlet b = env!(\"B\");\nenv::vars_os()";
        assert_eq!(reads_of_environment(text).collect::<Vec<_>>(), [1, 4]);
    }

    #[test]
    fn library_code_is_what_ships_as_a_library() {
        assert!(is_library_code(Path::new("z4j-core/src/env.rs")));
        assert!(!is_library_code(Path::new("bins/z4j/src/main.rs")));
        assert!(!is_library_code(Path::new("z4j-brain/tests/socket.rs")));
        assert!(!is_library_code(Path::new("z4j-agent/examples/engine.rs")));
    }

    #[test]
    fn a_folder_counts_only_where_a_path_starts() {
        let mark = concat!("/wo", "rk/");
        assert!(names_folder(&format!("open(\"{mark}me/file\")"), mark));
        assert!(!names_folder(&format!("get(\"/api{mark}today\")"), mark));
    }
}
