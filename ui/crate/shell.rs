//! The page that starts the dashboard.

use std::{borrow::Cow, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::asset::{asset, built_shell};

const UNBUILT: &str = include_str!("unbuilt.html");

static SHELL: LazyLock<String> =
    LazyLock::new(|| built_shell().unwrap_or_else(|| UNBUILT.to_owned()));

/// The shell, cut before the path of each embedded file that it names: in links, and in the inline
/// script that says which files belong to which page.
static SHELL_PARTS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| cut_before_files(&SHELL, |path| asset(path).is_some()));

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
    insert_meta(&SHELL, "csp-nonce", nonce)
}

/// The dashboard's page for one response of a brain that is mounted below `base`, such as `/z4j`.
///
/// Everything that the page loads is below `base`, and its scripts read `base` from a meta element. With
/// an empty `base` it is [`shell`].
///
/// # Contract
/// `nonce` as for [`shell`]; `base` starts with a slash and does not end with one. What is neither a
/// letter, a digit nor one of `/-._~%@:+` is left out of it.
#[must_use]
pub fn shell_below(base: &str, nonce: &str) -> String {
    let base = plain_path(base);
    if base.is_empty() {
        return shell(nonce);
    }
    let page = insert_meta(&SHELL_PARTS.join(base.as_str()), "z4j-base", &base);
    insert_meta(&page, "csp-nonce", nonce)
}

/// The SHA-256 sources of the shell's inline scripts, each ready for `script-src`:
/// `'sha256-…'` with its quotes.
#[must_use]
pub fn script_hashes() -> &'static [String] {
    &SCRIPT_HASHES
}

/// [`script_hashes`] of the page that [`shell_below`] gives for `base`: one of its scripts names files.
#[must_use]
pub fn script_hashes_below(base: &str) -> Cow<'static, [String]> {
    let base = plain_path(base);
    if base.is_empty() {
        return Cow::Borrowed(script_hashes());
    }
    Cow::Owned(hashes_of(&SHELL_PARTS.join(base.as_str())))
}

fn insert_meta(page: &str, name: &str, content: &str) -> String {
    let content: String = content
        .chars()
        .filter(|c| is_plain(*c) || *c == '=')
        .collect();
    let Some((before, after)) = page.split_once("<head>") else {
        return page.to_owned();
    };
    format!("{before}<head><meta name=\"{name}\" content=\"{content}\">{after}")
}

/// Without what could end an attribute, an element or a string of a script.
fn plain_path(base: &str) -> String {
    base.chars().filter(|c| is_plain(*c)).collect()
}

const fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '.' | '_' | '~' | '%' | '@' | ':' | '+')
}

/// Parts that give the page again when joined; each but the first starts with the slash of a file's path.
fn cut_before_files(page: &str, is_file: impl Fn(&str) -> bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = page;
    let mut from = 0;
    while let Some(at) = rest.get(from..).and_then(|text| text.find("\"/")) {
        let slash = from + at + 1;
        let path = rest.get(slash..).unwrap_or_default().split('"').next();
        if path.is_some_and(&is_file) {
            let (before, after) = rest.split_at(slash);
            parts.push(before);
            rest = after;
            from = 1;
        } else {
            from = slash;
        }
    }
    parts.push(rest);
    parts
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
        let page = insert_meta(PAGE, "csp-nonce", "abc+/=");
        assert!(
            page.starts_with("<html><head><meta name=\"csp-nonce\" content=\"abc+/=\"><script")
        );
    }

    #[test]
    fn nonce_cannot_close_its_attribute() {
        let page = insert_meta(PAGE, "csp-nonce", "\"><script>x");
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
    fn page_is_cut_where_it_names_a_file_and_nowhere_else() {
        let page = "<a href=\"/a.js\"><a href=\"/b\">[\"/a.js\",\"//a.js\"]";
        let parts = cut_before_files(page, |path| path == "/a.js");
        assert_eq!(parts.concat(), page);
        assert_eq!(
            parts.join("/z4j"),
            "<a href=\"/z4j/a.js\"><a href=\"/b\">[\"/z4j/a.js\",\"//a.js\"]"
        );
    }

    #[test]
    fn base_cannot_close_its_attribute() {
        let page = shell_below("/z\"><script>4j", "n0nce");
        assert!(page.contains("<meta name=\"z4j-base\" content=\"/zscript4j\">"));
    }

    #[test]
    fn shell_always_takes_a_nonce() {
        assert!(shell("n0nce").contains("<meta name=\"csp-nonce\" content=\"n0nce\">"));
    }
}
