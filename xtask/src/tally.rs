//! How many checks passed and failed, read from what the tools print.

use std::fmt;
use std::ops::AddAssign;

/// Counts of one step or of the whole run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Steps that an explicit flag left out.
    pub(crate) skipped: u64,
}

impl Tally {
    pub(crate) const ONE_PASSED: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };
    pub(crate) const ONE_FAILED: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };
    pub(crate) const ONE_SKIPPED: Self = Self {
        passed: 0,
        failed: 0,
        skipped: 1,
    };
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(out, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Sums every summary line in the output of nextest, `cargo test` or one of our own scripts; `None` where there is none.
pub(crate) fn read(lines: &[String]) -> Option<Tally> {
    let mut found = None;
    for line in lines {
        if let Some(tally) = read_line(&without_colour(line)) {
            *found.get_or_insert_with(Tally::default) += tally;
        }
    }
    found
}

fn read_line(line: &str) -> Option<Tally> {
    let line = line.trim();
    let counts = if let Some((_, counts)) = line
        .split_once("run:")
        .filter(|_| line.starts_with("Summary ["))
    {
        counts
    } else if let Some(rest) = line.strip_prefix("test result:") {
        rest.split_once('.').map_or(rest, |(_, counts)| counts)
    } else if is_plain_summary(line) {
        line
    } else {
        return None;
    };
    let mut tally = Tally::default();
    for part in counts.split([',', ';']) {
        let mut words = part.split_whitespace();
        let Some(number) = words.next().and_then(|word| word.parse::<u64>().ok()) else {
            continue;
        };
        match words.next() {
            Some("passed") => tally.passed += number,
            Some("failed" | "timed" | "exec" | "aborted") => tally.failed += number,
            _ => {}
        }
    }
    Some(tally)
}

/// `N passed, N failed` and nothing before it.
fn is_plain_summary(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next().is_some_and(|word| word.parse::<u64>().is_ok())
        && words.next() == Some("passed,")
        && words.next().is_some_and(|word| word.parse::<u64>().is_ok())
        && words.next().is_some_and(|word| word.starts_with("failed"))
}

fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            let _ = characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{Tally, read};

    fn counts(text: &str) -> Option<(u64, u64)> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        read(&lines).map(|tally| (tally.passed, tally.failed))
    }

    #[test]
    fn nextest_summary_is_read_with_colours_and_remarks() {
        let text = "\u{1b}[32;1m     Summary\u{1b}[0m [   1.234s] \u{1b}[1m12\u{1b}[0m tests run: 9 passed (1 slow), 2 failed, 1 timed out, 4 skipped";
        assert_eq!(counts(text), Some((9, 3)));
    }

    #[test]
    fn several_cargo_test_results_are_summed() {
        let text = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured\nnoise\ntest result: FAILED. 1 passed; 2 failed; 0 ignored";
        assert_eq!(counts(text), Some((4, 2)));
    }

    #[test]
    fn own_summary_line_is_read_and_prose_is_not() {
        assert_eq!(counts("case one\n14 passed, 1 failed"), Some((14, 1)));
        assert_eq!(counts("all 3 passed, 0 failed to start"), None);
        assert_eq!(counts("Summary of changes, run: 4 passed"), None);
    }

    #[test]
    fn skipped_steps_are_named_only_when_there_are_any() {
        let mut tally = Tally::ONE_PASSED;
        assert_eq!(tally.to_string(), "1 passed, 0 failed");
        tally += Tally::ONE_SKIPPED;
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 1 skipped");
    }
}
