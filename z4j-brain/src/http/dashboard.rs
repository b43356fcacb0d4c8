//! The dashboard's files and its page.

use std::borrow::Cow;
use std::fmt::Debug;

use axum::body::Body;
use axum::extract::{OriginalUri, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::error::ApiError;
use super::headers;
use super::state::App;

const NONCE_BYTES: usize = 16;
const WITHOUT_PAGES: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>z4j</title></head>\
    <body><h1>z4j</h1><p>This brain serves no dashboard. Its interface is below /api/v1.</p></body></html>";

/// The dashboard that a brain serves.
pub trait Dashboard: Debug + Send + Sync + 'static {
    /// The file at a path such as `/assets/x.js`; never the page itself.
    fn asset(&self, path: &str) -> Option<DashboardAsset>;

    /// The page for every path that is no file.
    ///
    /// # Contract
    /// What the page styles inline must carry `nonce`; it is in this answer's content security policy.
    fn shell(&self, nonce: &str) -> String;

    /// Sources such as `'sha256-…'` of the page's inline scripts.
    fn script_hashes(&self) -> &[String];

    /// The page of a brain that is nested below `base`, such as `/z4j`. By default the page as it is, which fits a page
    /// whose links are relative.
    ///
    /// # Contract
    /// `nonce` as for [`Self::shell`]. `base` starts with a slash, does not end with one and has only letters, digits and
    /// `/-._~%@:+`: it can stand in an attribute or in a string of a script.
    fn shell_below(&self, base: &str, nonce: &str) -> String {
        let _ = base;
        self.shell(nonce)
    }

    /// What [`Self::script_hashes`] is to [`Self::shell`], for [`Self::shell_below`] with the same `base`.
    fn script_hashes_below(&self, base: &str) -> Cow<'_, [String]> {
        let _ = base;
        Cow::Borrowed(self.script_hashes())
    }
}

/// One file of a dashboard.
#[derive(Clone, Debug)]
pub struct DashboardAsset {
    /// The file as it is.
    pub bytes: Cow<'static, [u8]>,
    /// The value for `Content-Type`.
    pub content_type: String,
    /// A strong entity tag, with its quotes.
    pub etag: String,
    /// The name carries a hash of the content: the file can be kept for ever.
    pub immutable: bool,
    /// The same compressed with brotli.
    pub brotli: Option<Cow<'static, [u8]>>,
    /// The same compressed with gzip.
    pub gzip: Option<Cow<'static, [u8]>>,
}

/// Everything that no route takes: JSON below `/api/`, files, and the page.
pub(crate) async fn fallback(State(app): State<App>, request: Request) -> Response {
    let path = request.uri().path();
    if headers::is_api(path) {
        return ApiError::not_found().into_response();
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let Some(dashboard) = &app.shared.dashboard else {
        return page(WITHOUT_PAGES.to_owned(), "none", &[]);
    };
    if let Some(file) = dashboard.asset(path) {
        return send(file, request.headers());
    }
    if path.starts_with("/assets/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let nonce = STANDARD.encode(app.shared.env.secret_bytes::<NONCE_BYTES>());
    match mounted_below(&request) {
        Some("") => page(dashboard.shell(&nonce), &nonce, dashboard.script_hashes()),
        Some(base) => {
            let html = dashboard.shell_below(base, &nonce);
            page(html, &nonce, &dashboard.script_hashes_below(base))
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What the services around this router took from the start of the path. `None` when that cannot be written into a page:
/// a path with parameters above the brain lets a visitor choose it.
fn mounted_below(request: &Request) -> Option<&str> {
    let left = request.uri().path();
    let Some(OriginalUri(asked)) = request.extensions().get::<OriginalUri>() else {
        return Some("");
    };
    let asked = asked.path();
    let base = match left {
        _ if asked == left => "",
        // The address of the mount itself, with or without a slash.
        "/" => asked.strip_suffix('/').unwrap_or(asked),
        _ => asked.strip_suffix(left).unwrap_or_default(),
    };
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '/' | '-' | '.' | '_' | '~' | '%' | '@' | ':' | '+')
    };
    (!base.contains("//") && base.chars().all(is_plain)).then_some(base)
}

fn page(html: String, nonce: &str, script_hashes: &[String]) -> Response {
    let policy = headers::page_policy(nonce, script_hashes);
    let mut response = Response::new(Body::from(html));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn send(file: DashboardAsset, asked: &HeaderMap) -> Response {
    let kept = asked
        .get(IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok())
        .unwrap_or_default();
    let is_kept = kept
        .split(',')
        .any(|tag| tag.trim().trim_start_matches("W/") == file.etag);
    let accepts = |coding: &str| accepts(asked, coding);
    let (bytes, coding) = match (file.brotli, file.gzip) {
        (Some(bytes), _) if accepts("br") => (bytes, Some("br")),
        (_, Some(bytes)) if accepts("gzip") => (bytes, Some("gzip")),
        _ => (file.bytes, None),
    };
    let body = match bytes {
        _ if is_kept => Body::empty(),
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    let mut response = Response::new(body);
    if is_kept {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let cache = if file.immutable {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    let texts = [(CONTENT_TYPE, file.content_type), (ETAG, file.etag)];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    if let Some(coding) = coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

/// Whether the browser takes a coding. `q=0` refuses it.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let (name, quality) = item.split_once(';').unwrap_or((item, ""));
            let quality = quality.trim().trim_start_matches("q=");
            let is_refused = !quality.is_empty() && quality.chars().all(|c| matches!(c, '0' | '.'));
            name.trim().eq_ignore_ascii_case(coding) && !is_refused
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coding_is_chosen_from_what_the_browser_accepts() {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT_ENCODING,
            HeaderValue::from_static("gzip, br;q=0, deflate;q=0.5"),
        );
        assert!(accepts(&headers, "gzip") && accepts(&headers, "deflate"));
        assert!(!accepts(&headers, "br") && !accepts(&headers, "zstd"));
    }
}
