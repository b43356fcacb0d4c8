//! Session tokens and the cookie that carries them.

use axum_extra::extract::cookie::{Cookie, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::COOKIE;
use sha2::{Digest, Sha256};
use z4j_core::env::Env;
use zeroize::Zeroizing;

/// Random bytes in a session token (`reliability.md` S-05).
const TOKEN_BYTES: usize = 32;

/// What the browser holds. Only its hash is stored; it does not print.
pub(crate) struct SessionToken(Zeroizing<[u8; TOKEN_BYTES]>);

impl SessionToken {
    /// A new one.
    pub(crate) fn mint(env: &Env) -> Self {
        Self(Zeroizing::new(env.secret_bytes()))
    }

    /// Reads what a cookie holds; `None` for what this brain never handed out.
    fn parse(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        let read = URL_SAFE_NO_PAD
            .decode_slice(text, bytes.as_mut_slice())
            .ok()?;
        (read == TOKEN_BYTES).then_some(Self(bytes))
    }

    /// What is stored.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_slice()).into()
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.as_slice())
    }
}

/// The cookie's name. Browsers keep `__Host-` cookies from being set by a sibling domain or without TLS.
pub(crate) const fn cookie_name(is_https: bool) -> &'static str {
    if is_https {
        "__Host-z4j_session"
    } else {
        "z4j_session"
    }
}

/// The cookie for a new session, which the browser keeps for `max_age_seconds`, or until it closes.
pub(crate) fn cookie(token: &SessionToken, is_https: bool, max_age_seconds: Option<i64>) -> String {
    let cookie = bare(is_https, token.text());
    match max_age_seconds {
        Some(seconds) => format!("{cookie}; Max-Age={seconds}"),
        None => cookie.to_string(),
    }
}

/// The cookie that makes the browser forget its session.
pub(crate) fn removal_cookie(is_https: bool) -> String {
    format!("{}; Max-Age=0", bare(is_https, String::new()))
}

fn bare(is_https: bool, value: String) -> Cookie<'static> {
    Cookie::build((cookie_name(is_https), value))
        .http_only(true)
        .secure(is_https)
        .same_site(SameSite::Lax)
        .path("/")
        .build()
}

/// The session token of a request.
pub(crate) fn token_of(headers: &HeaderMap, is_https: bool) -> Option<SessionToken> {
    let name = cookie_name(is_https);
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .and_then(|(_, value)| SessionToken::parse(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_over_https_is_bound_to_the_host() {
        let token = SessionToken::mint(&Env::system());
        let text = cookie(&token, true, Some(60));
        assert!(text.starts_with("__Host-z4j_session="));
        for flag in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=60"] {
            assert!(text.contains(flag), "{flag} is missing in {text}");
        }
        assert!(!text.contains("Domain"));
    }

    #[test]
    fn cookie_over_http_is_plain() {
        let text = cookie(&SessionToken::mint(&Env::system()), false, None);
        assert!(text.starts_with("z4j_session="));
        assert!(!text.contains("Secure") && !text.contains("Max-Age"));
    }

    #[test]
    fn token_is_read_back_from_among_other_cookies() {
        let token = SessionToken::mint(&Env::system());
        let mut headers = HeaderMap::new();
        let line = format!("theme=dark; z4j_session={}", token.text());
        headers.insert(COOKIE, line.parse().unwrap());
        assert_eq!(token_of(&headers, false).unwrap().hash(), token.hash());
        assert!(token_of(&headers, true).is_none());
    }

    #[test]
    fn what_is_no_token_is_nobody() {
        for text in ["", "x", "AAAA", &"A".repeat(44), &"A".repeat(8000), "%%%"] {
            assert!(SessionToken::parse(text).is_none(), "{text}");
        }
    }
}
