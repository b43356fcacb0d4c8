//! Files of the built dashboard, each with what a handler needs to serve it.

use std::{borrow::Cow, fmt};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "dist/client"]
#[allow_missing = true]
struct Files;

/// The page every unknown path gets; served through [`crate::shell`], never as an asset.
const SHELL_PATH: &str = "index.html";

/// One static file of the dashboard.
#[derive(Clone)]
#[non_exhaustive]
pub struct Asset {
    /// The file as it is.
    pub bytes: Cow<'static, [u8]>,
    /// The value for `Content-Type`.
    pub content_type: String,
    /// A strong entity tag, with its quotes.
    pub etag: String,
    /// True when the name carries a hash of the content: such a file can be cached for ever.
    pub immutable: bool,
    /// The same file compressed with brotli, when that is worth it.
    pub brotli: Option<Cow<'static, [u8]>>,
    /// The same file compressed with gzip, when that is worth it.
    pub gzip: Option<Cow<'static, [u8]>>,
}

impl fmt::Debug for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asset")
            .field("content_type", &self.content_type)
            .field("etag", &self.etag)
            .field("immutable", &self.immutable)
            .field("bytes_len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// True when the dashboard was built before this crate was.
#[must_use]
pub fn is_built() -> bool {
    Files::get(SHELL_PATH).is_some()
}

/// The file at `path`, with or without a leading slash.
///
/// `None` for the shell, for the compressed variants under their own name and for anything that
/// was not built.
#[must_use]
pub fn asset(path: &str) -> Option<Asset> {
    let name = path.trim_start_matches('/');
    let is_variant = [".br", ".gz"].iter().any(|end| name.ends_with(end));
    let leaves = name.split('/').any(|part| part == "..");
    if name.is_empty() || name == SHELL_PATH || is_variant || leaves {
        return None;
    }
    let file = Files::get(name)?;
    Some(Asset {
        content_type: content_type(&file),
        etag: format!(
            "\"{}\"",
            URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash())
        ),
        immutable: name.starts_with("assets/"),
        brotli: Files::get(&format!("{name}.br")).map(|variant| variant.data),
        gzip: Files::get(&format!("{name}.gz")).map(|variant| variant.data),
        bytes: file.data,
    })
}

/// The shell as it was built.
pub(crate) fn built_shell() -> Option<String> {
    let file = Files::get(SHELL_PATH)?;
    String::from_utf8(file.data.into_owned()).ok()
}

fn content_type(file: &EmbeddedFile) -> String {
    let kind = file.metadata.mimetype();
    let is_text = kind.starts_with("text/") || kind == "application/json";
    if is_text && !kind.contains("charset") {
        return format!("{kind}; charset=utf-8");
    }
    kind.to_owned()
}
