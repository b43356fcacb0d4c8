//! How browsers and scripts are served.

use secrecy::SecretString;

/// How browsers and scripts are served.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The origin people use, such as `https://z4j.example.org`; cookies are `Secure` when it is https.
    pub public_url: Option<String>,
    /// The bearer token that opens `/metrics`; without one it is closed.
    pub metrics_token: Option<SecretString>,
}
