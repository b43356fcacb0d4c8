//! Results: a table for people, JSON lines for comparing runs.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Map, Value, json};

/// One measured line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// What was measured.
    pub(crate) name: String,
    /// Column to value, in the order to print.
    pub(crate) values: Vec<(String, f64)>,
}

/// A bench's lines.
#[derive(Clone, Debug)]
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

    /// Adds a line, and shows it at once on standard error.
    pub(crate) fn line(&mut self, name: impl Into<String>, values: &[(&str, f64)]) {
        let line = Line {
            name: name.into(),
            values: values
                .iter()
                .map(|(column, value)| ((*column).to_owned(), *value))
                .collect(),
        };
        let first: Vec<String> = line
            .values
            .iter()
            .take(3)
            .map(|(column, value)| format!("{column} {}", number(*value)))
            .collect();
        eprintln!("  {}: {}", line.name, first.join(", "));
        self.lines.push(line);
    }

    /// Adds what a reader must know of the run.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Prints the table, writes `target/bench/NAME.jsonl`, and adds the same lines to `json`.
    pub(crate) fn finish(&self, json: Option<&Path>) -> anyhow::Result<()> {
        println!("\n{}\n{}", self.name, self.table());
        for note in &self.notes {
            println!("  note: {note}");
        }
        let lines = self.json_lines();
        if let Some(dir) = target_dir() {
            let path = dir.join("bench").join(format!("{}.jsonl", self.name));
            fs::create_dir_all(path.parent().context("no folder")?)?;
            fs::write(&path, &lines)?;
            println!("  written: target/bench/{}.jsonl", self.name);
        }
        if let Some(path) = json {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .and_then(|mut file| file.write_all(lines.as_bytes()))
                .with_context(|| format!("{} cannot be written", path.display()))?;
            println!("  added to: {}", path.display());
        }
        Ok(())
    }

    /// One JSON object for each line, and one with the notes.
    fn json_lines(&self) -> String {
        let mut out = String::new();
        for line in &self.lines {
            let values: Map<String, Value> = line
                .values
                .iter()
                .map(|(column, value)| (column.clone(), json!(value)))
                .collect();
            let object = json!({"bench": self.name, "line": line.name, "values": values});
            out.push_str(&format!("{object}\n"));
        }
        let notes = json!({"bench": self.name, "notes": self.notes});
        out.push_str(&format!("{notes}\n"));
        out
    }

    /// Lines with the same columns stand under one header.
    fn table(&self) -> String {
        let same = |a: &Line, b: &Line| {
            let (a, b) = (a.values.iter(), b.values.iter());
            a.map(|value| &value.0).eq(b.map(|value| &value.0))
        };
        let groups = self.lines.chunk_by(same).map(group);
        groups.collect::<Vec<_>>().join("\n")
    }
}

fn group(lines: &[Line]) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    if let Some(line) = lines.first() {
        let head = line.values.iter().map(|(column, _)| column.clone());
        rows.push(std::iter::once(String::new()).chain(head).collect());
    }
    for line in lines {
        let cells = line.values.iter().map(|(_, value)| number(*value));
        rows.push(std::iter::once(line.name.clone()).chain(cells).collect());
    }
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for row in rows {
        out.push_str(&format!("  {:<width$}", row[0], width = widths[0]));
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            out.push_str(&format!("  {cell:>width$}"));
        }
        out.push('\n');
    }
    out
}

fn number(value: f64) -> String {
    if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

/// The target folder that this binary was built into; a binary that was moved writes only where it is told to.
fn target_dir() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let dir = own.ancestors().nth(2)?;
    dir.ends_with("target").then(|| dir.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_other_columns_get_a_header_of_their_own() {
        let mut report = Report::new("example");
        report.line("one", &[("events_per_s", 12_345.6)]);
        report.line("two", &[("events_per_s", 1.0)]);
        report.line("three", &[("p50_ms", 0.5)]);
        let table = report.table();
        assert_eq!(table.matches("events_per_s").count(), 1);
        assert_eq!(table.matches("p50_ms").count(), 1);
        assert!(table.contains("12346"), "{table}");
    }

    #[test]
    fn json_holds_each_line_with_its_numbers() {
        let mut report = Report::new("example");
        report.line("one", &[("p50_ms", 0.25)]);
        report.note("indicative");
        let lines = report.json_lines();
        let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!(first["values"]["p50_ms"], 0.25);
        assert_eq!(lines.lines().count(), 2);
    }
}
