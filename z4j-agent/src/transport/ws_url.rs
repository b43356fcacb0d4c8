//! From the URL of a brain to the URL of its agent socket.

use std::net::IpAddr;

use http::Uri;

/// The path of the agent socket below the brain's URL (wire §1).
const SOCKET_PATH: &str = "/ws/agent";

/// A checked URL of an agent socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WsUrl {
    uri: Uri,
    is_plain: bool,
    is_loopback: bool,
}

impl WsUrl {
    /// Takes `http(s)://` or `ws(s)://` with a host and perhaps a path, nothing more.
    pub(crate) fn parse(brain_url: &str) -> Result<Self, &'static str> {
        let rules = [
            ("https://", "wss://"),
            ("wss://", "wss://"),
            ("http://", "ws://"),
            ("ws://", "ws://"),
        ];
        let found = rules
            .iter()
            .find_map(|(from, to)| Some((*to, brain_url.strip_prefix(from)?)));
        let (scheme, rest) = found.ok_or("the brain's URL must begin with https:// or http://")?;
        if rest.contains(['?', '#', '@']) {
            return Err("the brain's URL must have no query, fragment or user");
        }
        let text = format!("{scheme}{}{SOCKET_PATH}", rest.trim_end_matches('/'));
        let uri: Uri = text.parse().map_err(|_| "the brain's URL is not a URL")?;
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or("the brain's URL has no host")?;
        Ok(Self {
            is_plain: scheme == "ws://",
            is_loopback: is_loopback(host),
            uri,
        })
    }

    pub(crate) const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Host and port, unless the URL asks for TLS.
    pub(crate) fn plain_address(&self) -> Option<(&str, u16)> {
        let host = self.uri.host().filter(|_| self.is_plain)?;
        Some((host, self.uri.port_u16().unwrap_or(80)))
    }

    /// Whether the token would go over a network in the clear.
    pub(crate) const fn leaks_token(&self) -> bool {
        self.is_plain && !self.is_loopback
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(brain_url: &str) -> String {
        WsUrl::parse(brain_url).unwrap().uri().to_string()
    }

    #[test]
    fn the_socket_lies_below_the_path_of_the_brain() {
        assert_eq!(
            uri("https://brain.example/"),
            "wss://brain.example/ws/agent"
        );
        assert_eq!(
            uri("http://127.0.0.1:7700/z4j/"),
            "ws://127.0.0.1:7700/z4j/ws/agent"
        );
    }

    #[test]
    fn plain_text_is_for_loopback_only() {
        for safe in [
            "http://localhost:1",
            "http://127.0.0.1",
            "http://[::1]:9",
            "https://brain.example",
        ] {
            assert!(!WsUrl::parse(safe).unwrap().leaks_token(), "{safe}");
        }
        for unsafe_url in [
            "http://brain.example",
            "http://10.0.0.1",
            "http://localhost.example",
        ] {
            assert!(
                WsUrl::parse(unsafe_url).unwrap().leaks_token(),
                "{unsafe_url}"
            );
        }
    }

    #[test]
    fn what_is_no_brain_url_is_refused() {
        for bad in [
            "",
            "ftp://x",
            "http://",
            "http://u:p@x",
            "http://x?y",
            "x:1",
        ] {
            assert!(WsUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
