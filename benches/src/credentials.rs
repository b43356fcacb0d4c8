//! What agents connect with, from files: never from the command line, never printed.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use secrecy::SecretString;

/// What one agent connects with.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// The brain's base URL.
    pub(crate) url: String,
    /// Where they come from, to be named in messages.
    pub(crate) label: String,
    /// The bearer token.
    pub(crate) token: SecretString,
    /// The frame key as 44 characters.
    pub(crate) hmac_secret: SecretString,
}

/// Reads a credentials file: one agent per line, its token, white space, its HMAC secret. Empty lines and lines that
/// begin with `#` are skipped.
pub(crate) fn read_file(url: &str, path: &Path) -> anyhow::Result<Vec<Credentials>> {
    let text = read(path)?;
    let mut agents = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let label = format!("line {} of {}", index + 1, path.display());
        let words: Vec<&str> = line.split_whitespace().collect();
        let [token, hmac_secret] = words[..] else {
            anyhow::bail!("{label} does not hold a token and an HMAC secret");
        };
        agents.push(agent(url, label, token, hmac_secret));
    }
    ensure!(
        !agents.is_empty(),
        "{} holds no credentials",
        path.display()
    );
    Ok(agents)
}

/// One agent whose token and HMAC secret lie in files of their own.
pub(crate) fn read_pair(url: &str, token: &Path, secret: &Path) -> anyhow::Result<Credentials> {
    let label = token.display().to_string();
    let (token, secret) = (read(token)?, read(secret)?);
    Ok(agent(url, label, token.trim(), secret.trim()))
}

fn agent(url: &str, label: String, token: &str, hmac_secret: &str) -> Credentials {
    Credentials {
        url: url.to_owned(),
        label,
        token: SecretString::from(token.to_owned()),
        hmac_secret: SecretString::from(hmac_secret.to_owned()),
    }
}

/// A text file; the message names the file and never what is in it.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_an_agent_and_remarks_are_skipped() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "# two agents\nt1 s1\n\n  t2\ts2\n").unwrap();
        let agents = read_file("http://x", file.path()).unwrap();
        assert_eq!(agents.len(), 2);
        assert!(agents[1].label.starts_with("line 4 of"));
        assert!(!format!("{agents:?}").contains("s2"));
    }

    #[test]
    fn line_that_is_no_pair_is_named_without_being_repeated() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "only-a-token\n").unwrap();
        let sentence = format!("{:#}", read_file("http://x", file.path()).unwrap_err());
        assert!(sentence.starts_with("line 1 of"), "{sentence}");
        assert!(!sentence.contains("only-a-token"), "{sentence}");
    }
}
