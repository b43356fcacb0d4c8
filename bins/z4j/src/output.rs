//! Answers of commands: sentences for people, JSON for programs.

use serde::Serialize;

/// Prints `answer` as JSON, or `sentence` for people.
pub(crate) fn print<T: Serialize>(
    json: bool,
    answer: &T,
    sentence: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(answer)?);
    } else {
        println!("{}", sentence());
    }
    Ok(())
}

/// Prints why a command failed.
pub(crate) fn print_failure(json: bool, error: &anyhow::Error) {
    let sentence = error
        .chain()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ");
    if json {
        println!(
            "{}",
            serde_json::json!({ "error": "failed", "message": sentence })
        );
    } else {
        eprintln!("z4j: {sentence}");
    }
}
