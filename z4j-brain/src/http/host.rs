//! Whom a request claims to reach, and where it comes from (`reliability.md` S-14, S-19).

use std::net::IpAddr;

use http::header::{COOKIE, HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode};

use super::error::ApiError;
use crate::config::ServerConfig;

/// Paths that machines ask by whatever name they have for the brain. None of them takes a cookie.
const MACHINE_PATHS: [&str; 5] = ["/ws", "/ws/agent", "/health", "/health/ready", "/metrics"];

/// Whom `Host` may name.
#[derive(Debug)]
pub(crate) struct Hosts {
    names: Vec<String>,
    /// Listening beyond loopback: addresses are then as good as names, because a browser cannot be led to an address
    /// under somebody else's origin.
    takes_addresses: bool,
    public_origin: Option<String>,
}

impl Hosts {
    /// The public URL's host, the allowed ones, and loopback.
    pub(crate) fn new(config: &ServerConfig) -> Self {
        let public_origin = config.origin();
        let public = public_origin
            .as_deref()
            .and_then(|origin| origin.split_once("://"));
        let public = public.and_then(|(_, authority)| authority.parse::<Authority>().ok());
        let mut names: Vec<String> = config.allowed_hosts.iter().map(|name| bare(name)).collect();
        names.extend(public.map(|authority| bare(authority.host())));
        Self {
            takes_addresses: config.allowed_hosts.iter().any(|name| is_unspecified(name)),
            names,
            public_origin,
        }
    }

    /// Lets a request pass that names one of our hosts and does not come from another site.
    ///
    /// # Errors
    /// 421 for another host, 403 for a write from another site.
    pub(crate) fn check(&self, request: &Parts) -> Result<(), ApiError> {
        if MACHINE_PATHS.contains(&request.uri.path()) {
            return Ok(());
        }
        let host = host_of(request);
        if !host.as_ref().is_some_and(|host| self.is_ours(host)) {
            let message =
                "This brain is not known by this name. Set its public URL or its allowed hosts.";
            return Err(ApiError::new(
                StatusCode::MISDIRECTED_REQUEST,
                "wrong_host",
                message,
            ));
        }
        let reads = [Method::GET, Method::HEAD, Method::OPTIONS];
        if reads.contains(&request.method) || self.is_own_site(&request.headers, host.as_ref()) {
            return Ok(());
        }
        let message = "This write does not come from the brain's own pages.";
        Err(ApiError::new(StatusCode::FORBIDDEN, "cross_site", message))
    }

    fn is_ours(&self, host: &Authority) -> bool {
        let name = bare(host.host());
        match name.parse::<IpAddr>() {
            Ok(address) => {
                address.is_loopback() || self.takes_addresses || self.names.contains(&name)
            }
            Err(_) => name == "localhost" || self.names.contains(&name),
        }
    }

    /// What the browser says of the sender; when it says nothing, only a request without a cookie passes.
    fn is_own_site(&self, headers: &HeaderMap, host: Option<&Authority>) -> bool {
        if let Some(site) = headers.get("sec-fetch-site") {
            return matches!(site.as_bytes(), b"same-origin" | b"none");
        }
        if let Some(origin) = headers.get(ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            let is_public = self.public_origin.as_deref() == Some(origin);
            let is_host = host.is_some_and(|host| origin == format!("http://{host}"));
            return is_public || (self.public_origin.is_none() && is_host);
        }
        !headers.contains_key(COOKIE)
    }
}

/// The host that a request names. Two different names are none.
fn host_of(request: &Parts) -> Option<Authority> {
    let mut named = request.headers.get_all(HOST).iter();
    let header = named.next().and_then(|host| host.to_str().ok());
    if named.next().is_some() {
        return None;
    }
    let header = header.and_then(|host| host.parse::<Authority>().ok());
    header.or_else(|| request.uri.authority().cloned())
}

/// A host without brackets and final dot, in lower case.
fn bare(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn is_unspecified(host: &str) -> bool {
    bare(host)
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(public_url: Option<&str>, allowed: &[&str]) -> Hosts {
        let config = ServerConfig {
            public_url: public_url.map(str::to_owned),
            allowed_hosts: allowed.iter().map(|&host| host.to_owned()).collect(),
            ..ServerConfig::default()
        };
        Hosts::new(&config)
    }

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
        let mut builder = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn host_allow_knows_loopback_the_public_host_and_what_was_allowed() {
        let plain = hosts(None, &[]);
        let known =
            |hosts: &Hosts, host| hosts.check(&request("GET", "/", &[("host", host)])).is_ok();
        for host in [
            "localhost:7700",
            "127.0.0.1:7700",
            "[::1]:7700",
            "LOCALHOST",
            "127.8.8.8",
        ] {
            assert!(known(&plain, host), "{host}");
        }
        for host in [
            "z4j.example.org",
            "192.0.2.1",
            "localhost.evil.example",
            "",
            "a b",
        ] {
            assert!(!known(&plain, host), "{host}");
        }
        assert!(known(
            &hosts(Some("https://z4j.example.org"), &[]),
            "z4j.example.org"
        ));
        assert!(known(&hosts(None, &["z4j"]), "z4j:7700"));
        assert!(known(&hosts(None, &["0.0.0.0"]), "192.0.2.1:7700"));
        assert!(!known(&hosts(None, &["0.0.0.0"]), "evil.example"));
        assert!(plain.check(&request("GET", "/", &[])).is_err());
        assert!(
            plain
                .check(&request("GET", "/health", &[("host", "10.1.2.3")]))
                .is_ok()
        );
    }

    #[test]
    fn csrf_write_from_another_site_is_refused() {
        let hosts = hosts(None, &[]);
        let passes = |headers: &[(&str, &str)]| {
            let mut all = vec![("host", "127.0.0.1:7700")];
            all.extend(headers);
            hosts
                .check(&request("POST", "/api/v1/auth/logout", &all))
                .is_ok()
        };
        assert!(passes(&[
            ("sec-fetch-site", "same-origin"),
            ("cookie", "a=b")
        ]));
        assert!(passes(&[("sec-fetch-site", "none"), ("cookie", "a=b")]));
        assert!(!passes(&[
            ("sec-fetch-site", "same-site"),
            ("origin", "http://127.0.0.1:7700")
        ]));
        assert!(!passes(&[("sec-fetch-site", "cross-site")]));
        assert!(passes(&[
            ("origin", "http://127.0.0.1:7700"),
            ("cookie", "a=b")
        ]));
        assert!(!passes(&[
            ("origin", "http://127.0.0.1:7701"),
            ("cookie", "a=b")
        ]));
        assert!(!passes(&[("origin", "null")]));
        assert!(!passes(&[("cookie", "a=b")]));
        assert!(passes(&[]));
    }

    #[test]
    fn csrf_origin_behind_a_public_url_is_that_url() {
        let hosts = hosts(Some("https://z4j.example.org"), &[]);
        let passes = |origin| {
            let headers = [
                ("host", "z4j.example.org"),
                ("origin", origin),
                ("cookie", "a=b"),
            ];
            hosts
                .check(&request("POST", "/api/v1/auth/logout", &headers))
                .is_ok()
        };
        assert!(passes("https://z4j.example.org"));
        assert!(!passes("http://z4j.example.org"));
    }
}
