//! Results: a table for people and a JSON file for comparing runs.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

/// One measured line.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    /// What was measured.
    pub(crate) name: String,
    /// Column to value, in the order to print.
    pub(crate) values: Vec<(String, f64)>,
}

/// A bench's lines.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// The bench.
    pub(crate) name: &'static str,
    /// What was measured.
    pub(crate) lines: Vec<Line>,
    /// What a reader must know of the run.
    pub(crate) notes: Vec<String>,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            lines: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, name: impl Into<String>, values: &[(&str, f64)]) {
        self.lines.push(Line {
            name: name.into(),
            values: values
                .iter()
                .map(|(column, value)| ((*column).to_owned(), *value))
                .collect(),
        });
    }

    /// Prints the table and writes `target/bench/NAME.json`.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        let width = self
            .lines
            .iter()
            .map(|line| line.name.len())
            .max()
            .unwrap_or(0);
        println!("\n{}", self.name);
        for line in &self.lines {
            let cells: Vec<String> = line
                .values
                .iter()
                .map(|(column, value)| format!("{column} {}", number(*value)))
                .collect();
            println!("  {:width$}  {}", line.name, cells.join("  "));
        }
        for note in &self.notes {
            println!("  note: {note}");
        }
        let path = target_dir()?
            .join("bench")
            .join(format!("{}.json", self.name));
        fs::create_dir_all(path.parent().context("no folder")?)?;
        fs::write(&path, serde_json::to_vec_pretty(self)?)?;
        println!("  written: target/bench/{}.json", self.name);
        Ok(())
    }
}

fn number(value: f64) -> String {
    if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

/// The target folder that this binary was built into.
fn target_dir() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors()
        .nth(2)
        .map(PathBuf::from)
        .context("the bench does not run from a target folder")
}
