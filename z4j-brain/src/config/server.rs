//! How browsers and scripts are served.

use http::Uri;
use secrecy::SecretString;

/// How browsers and scripts are served.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The origin people use, such as `https://z4j.example.org`; cookies are `Secure` when it is https.
    pub public_url: Option<String>,
    /// The bearer token that opens `/metrics`; without one it is closed.
    pub metrics_token: Option<SecretString>,
    /// Names and addresses that `Host` may hold besides those of [`Self::public_url`] and of this machine's loopback.
    pub allowed_hosts: Vec<String>,
}

impl ServerConfig {
    /// Whether people reach the brain over https.
    pub(crate) fn is_https(&self) -> bool {
        let scheme = self
            .public_url
            .as_deref()
            .and_then(|url| url.split_once("://"));
        scheme.is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"))
    }

    /// Scheme, host and port of the public URL, as browsers write it in `Origin`.
    pub(crate) fn origin(&self) -> Option<String> {
        let uri: Uri = self.public_url.as_deref()?.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let host = uri.host()?.to_ascii_lowercase();
        let usual = if scheme == "https" { 443 } else { 80 };
        Some(match uri.port_u16().filter(|port| *port != usual) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        })
    }

    /// Every setting that cannot work, each in one sentence.
    pub(crate) fn problems(&self) -> Vec<String> {
        let Some(url) = &self.public_url else {
            return Vec::new();
        };
        let is_web = ["http://", "https://"]
            .iter()
            .any(|scheme| url.to_ascii_lowercase().starts_with(scheme));
        if is_web && self.origin().is_some() {
            Vec::new()
        } else {
            vec![format!(
                "The public URL {url:?} is not of the form https://host[:port]."
            )]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(url: &str) -> ServerConfig {
        ServerConfig {
            public_url: Some(url.to_owned()),
            ..ServerConfig::default()
        }
    }

    #[test]
    fn origin_is_written_as_browsers_write_it() {
        assert_eq!(
            with("HTTPS://Z4j.Example.org/").origin().as_deref(),
            Some("https://z4j.example.org")
        );
        assert_eq!(
            with("https://z4j.example.org:443").origin().as_deref(),
            Some("https://z4j.example.org")
        );
        assert_eq!(
            with("http://10.0.0.1:7700/x").origin().as_deref(),
            Some("http://10.0.0.1:7700")
        );
        assert!(
            with("https://z4j.example.org").is_https()
                && !with("http://z4j.example.org").is_https()
        );
    }

    #[test]
    fn public_url_that_names_no_origin_is_a_problem() {
        for url in [
            "z4j.example.org",
            "ftp://z4j.example.org",
            "https://",
            "https:// x",
        ] {
            assert_eq!(with(url).problems().len(), 1, "{url}");
        }
    }
}
