//! The page that starts the dashboard.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::asset::built_shell;

const UNBUILT: &str = include_str!("unbuilt.html");

static SHELL: LazyLock<String> =
    LazyLock::new(|| built_shell().unwrap_or_else(|| UNBUILT.to_owned()));

static SCRIPT_HASHES: LazyLock<Vec<String>> = LazyLock::new(|| hashes_of(&SHELL));

/// The dashboard's page for one response.
///
/// `nonce` is the one in that response's content security policy. The page's scripts read it from
/// a meta element to style what the browser would otherwise refuse (the scroll lock of dialogs).
///
/// # Contract
/// The caller must make a new nonce for each response, of characters that base64 uses.
#[must_use]
pub fn shell(nonce: &str) -> String {
    insert_nonce(&SHELL, nonce)
}

/// The SHA-256 sources of the shell's inline scripts, each ready for `script-src`:
/// `'sha256-…'` with its quotes.
#[must_use]
pub fn script_hashes() -> &'static [String] {
    &SCRIPT_HASHES
}

fn insert_nonce(page: &str, nonce: &str) -> String {
    let nonce: String = nonce
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_'))
        .collect();
    let Some((before, after)) = page.split_once("<head>") else {
        return page.to_owned();
    };
    format!("{before}<head><meta name=\"csp-nonce\" content=\"{nonce}\">{after}")
}

fn hashes_of(page: &str) -> Vec<String> {
    inline_scripts(page)
        .map(|script| {
            format!(
                "'sha256-{}'",
                STANDARD.encode(Sha256::digest(script.as_bytes()))
            )
        })
        .collect()
}

/// Bodies of the script elements without a source.
fn inline_scripts(page: &str) -> impl Iterator<Item = &str> {
    page.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (body, _) = rest.split_once("</script>")?;
        let has_source = attributes
            .split_ascii_whitespace()
            .any(|attribute| attribute.starts_with("src="));
        (!has_source && !body.is_empty()).then_some(body)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<html><head><script src=\"/a.js\"></script><script>one()</script></head>\
                        <body><script type=\"module\" async=\"\">two()</script></body></html>";

    #[test]
    fn nonce_comes_right_after_the_head_opens() {
        let page = insert_nonce(PAGE, "abc+/=");
        assert!(
            page.starts_with("<html><head><meta name=\"csp-nonce\" content=\"abc+/=\"><script")
        );
    }

    #[test]
    fn nonce_cannot_close_its_attribute() {
        let page = insert_nonce(PAGE, "\"><script>x");
        assert!(page.contains("content=\"scriptx\">"));
    }

    #[test]
    fn only_inline_scripts_are_hashed() {
        let found: Vec<&str> = inline_scripts(PAGE).collect();
        assert_eq!(found, ["one()", "two()"]);
        // printf 'one()' | openssl dgst -sha256 -binary | base64
        assert_eq!(
            hashes_of(PAGE).first().map(String::as_str),
            Some("'sha256-HR7iaask9daLMRRskMI++QeJtjWDOjyPA6lGzYGzKW4='")
        );
    }

    #[test]
    fn page_of_an_unbuilt_dashboard_says_how_to_build_it() {
        assert!(UNBUILT.contains("npm run build"));
        assert_eq!(inline_scripts(UNBUILT).count(), 0);
    }

    #[test]
    fn shell_always_takes_a_nonce() {
        assert!(shell("n0nce").contains("<meta name=\"csp-nonce\" content=\"n0nce\">"));
    }
}
