//! Shapes of secrets inside text that only the strict policy looks for (`reliability.md` S-38).
//!
//! All are searched by one DFA, whatever their number. None may look at the end of a text: inside JSON it is a quote.

/// Names of secrets as they appear in text: command lines, query strings, DSNs.
const NAMES: &str = r"(?:password|passwd|passphrase|pwd|secret|api[_-]?key|private[_-]?key|access[_-]?key|account[_-]?key|credentials?|token)";

/// The same as they appear in an environment, at the end of a name.
const ENV_NAMES: &str = "(?:PASSWORD|PASSWD|PASSPHRASE|_PASS|_PWD|SECRET|SECRET_KEY|ACCESS_KEY|PRIVATE_KEY|API_KEY|APIKEY|TOKEN)";

/// What stands between the name of a header and its value, printed as a line, as a member or as a pair.
const COLON: &str = r#"(?:\\*["']?\s*:|\\*["']\s*,)\s*b?\\*["']?"#;

/// A setting of a connection that passwords stand beside. Commas and brackets belong to source code.
const BESIDE: &str =
    r"(?:host|hostaddr|dbname|database|user|server|uid|user\s?id)\s?=\s?[^\s,;()]+";

/// Like the bounded shapes of the protocol: without their boundaries.
pub(super) const STRICT_BOUNDED: &[&str] =
    &["(?-i:sk)-(?:proj|ant|svcacct|admin|or)-[A-Za-z0-9_-]{20,}"];

/// Passwords in URLs of any scheme, headers, query parameters, DSNs, environments, and command lines. A bare
/// `name=name` as in a line of source code is no hit.
pub(super) fn strict_shapes() -> Vec<String> {
    let mut shapes = urls();
    shapes.extend(settings());
    shapes.extend([
        format!(r"authorization{COLON}(?:basic|bearer|digest|token|apikey)\s+\S{{6}}"),
        format!(r"cookie{COLON}[\w.-]+=\S"),
        format!(r"--[\w-]*{NAMES}[= ][^\s-]"),
        // Only options, and what they take, may stand before it: `-p` is a word of many programs.
        r"(?:mysql|mariadb)\w*(?:\s+-\S+(?:\s+[^\s-]\S*)?)*\s+(?-i:-p)[^\s-]".to_owned(),
        r"gh[ur]_[A-Za-z0-9]{36}".to_owned(),
        r"glpat-[A-Za-z0-9_-]{20}".to_owned(),
        "-----BEGIN PGP PRIVATE KEY BLOCK-----".to_owned(),
    ]);
    shapes
}

fn urls() -> Vec<String> {
    vec![
        r"[a-z][a-z0-9+.-]*://[^\s/@:]*:[^\s/@]+@[^\s/]".to_owned(),
        // A slash in the password. Digits before the slash are a port, and the @ is part of a path.
        r#"[a-z][a-z0-9+.-]*://[^\s/@:]*:[0-9]*[^\s/@0-9"'][^\s@"']*@[^\s/]"#.to_owned(),
        // Cut short by an agent or an engine before the @. Digits alone are a port, and [ starts an address.
        r"[a-z][a-z0-9+.-]*://[^\s/@:\[]*:[0-9]*[^\s/@0-9:?#\\.\[][^\s/@]*(?:\.\.\.|\[\.\.\.)"
            .to_owned(),
    ]
}

/// `name=value` in the spellings of connection strings, environments, and printed calls.
fn settings() -> Vec<String> {
    vec![
        format!(r#"{NAMES}\s*=\s*(?:b|u|r)?["'][^"']"#),
        // What pydantic prints for a hidden value is stars.
        format!(r#"{NAMES}\s*=\s*secret\w*\(\s*b?["'][^"'*]"#),
        format!(r"[?&;]\s*[\w.-]*{NAMES}=[^\s&;]"),
        format!(r"{BESIDE}\s+(?:\w+=[^\s,;()]+\s+)*{NAMES}=[^\s,;()]"),
        format!(r"{NAMES}=[^\s,;()]+(?:\s+\w+=[^\s,;()]+)*\s+{BESIDE}"),
        format!(r"{NAMES}=[^\s,;()]+;\s*{BESIDE}"),
        format!(r"(?-i:{ENV_NAMES}=[^\s=])"),
        format!(r"export\s+\w*{NAMES}\w*=\S"),
    ]
}
