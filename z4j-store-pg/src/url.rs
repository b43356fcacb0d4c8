//! Where the database is, as the operator wrote it, without ever printing the password.

use std::fmt;
use std::path::{Path, PathBuf};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio_postgres::config::Host;

/// The port of a URL that names none.
const PORT_DEFAULT: u16 = 5432;

/// How far a connection is encrypted and the server's certificate checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server can; the certificate is not checked.
    #[default]
    Prefer,
    /// Encrypted; the certificate is not checked.
    Require,
    /// Encrypted; the certificate must be of a known authority and name this host.
    VerifyFull,
}

impl SslMode {
    fn parse(word: &str) -> Result<Self, UrlError> {
        match word {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-full" => Ok(Self::VerifyFull),
            other => Err(UrlError(format!(
                "the database URL has sslmode={other}: use disable, prefer, require or verify-full"
            ))),
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// A database URL that cannot be used; one sentence that never holds the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(String);

/// A parsed `postgres://user:password@host:port/database?sslmode=…`. It prints without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct PgUrl {
    user: String,
    password: Option<Vec<u8>>,
    host: Host,
    port: u16,
    database: String,
    ssl_mode: SslMode,
    ssl_root: Option<PathBuf>,
    application_name: String,
}

impl PgUrl {
    /// Reads a URL. Known parameters are `sslmode`, `sslrootcert`, `application_name` and, for a socket, `host`.
    ///
    /// # Errors
    /// One sentence that says what is wrong with the URL.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(UrlError(
                "the database URL must begin with postgres:// or postgresql://".to_owned(),
            ));
        }
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let mut kept = Vec::new();
        let (mut ssl_mode, mut ssl_root, mut name) = (SslMode::default(), None, "z4j".to_owned());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "sslmode" => ssl_mode = SslMode::parse(value)?,
                "sslrootcert" => ssl_root = Some(PathBuf::from(percent_decoded(value)?)),
                "application_name" => name = percent_decoded(value)?,
                "host" => kept.push(pair),
                other => {
                    return Err(UrlError(format!(
                        "the database URL has the parameter {other}, which z4j does not know"
                    )));
                }
            }
        }
        let plain = if kept.is_empty() {
            place.to_owned()
        } else {
            format!("{place}?{}", kept.join("&"))
        };
        Self::of_config(&plain, ssl_mode, ssl_root, name)
    }

    fn of_config(
        plain: &str,
        ssl_mode: SslMode,
        ssl_root: Option<PathBuf>,
        application_name: String,
    ) -> Result<Self, UrlError> {
        let config: tokio_postgres::Config = plain
            .parse()
            .map_err(|_| UrlError("the database URL cannot be read: write it as postgres://user:password@host:port/database, with special characters as %XX".to_owned()))?;
        let [host] = config.get_hosts() else {
            return Err(UrlError(
                "the database URL must name exactly one host".to_owned(),
            ));
        };
        let Some(user) = config.get_user() else {
            return Err(UrlError("the database URL names no user".to_owned()));
        };
        Ok(Self {
            user: user.to_owned(),
            password: config.get_password().map(<[u8]>::to_vec),
            host: host.clone(),
            port: config.get_ports().first().copied().unwrap_or(PORT_DEFAULT),
            database: config.get_dbname().unwrap_or(user).to_owned(),
            ssl_mode,
            ssl_root,
            application_name,
        })
    }

    /// How far connections are encrypted.
    #[must_use]
    pub const fn ssl_mode(&self) -> SslMode {
        self.ssl_mode
    }

    /// The file of the authorities that the server's certificate may come from; `None`: the well-known ones.
    #[must_use]
    pub fn ssl_root(&self) -> Option<&Path> {
        self.ssl_root.as_deref()
    }

    /// The name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The same with other authorities, unless the URL names its own.
    pub(crate) fn with_ssl_root(mut self, root: Option<&Path>) -> Self {
        if self.ssl_root.is_none() {
            self.ssl_root = root.map(Path::to_path_buf);
        }
        self
    }

    /// For tokio-postgres. TLS is up to whoever connects.
    pub(crate) fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .user(&self.user)
            .dbname(&self.database)
            .port(self.port)
            .application_name(&self.application_name);
        match &self.host {
            Host::Tcp(name) => config.host(name),
            #[cfg(unix)]
            Host::Unix(folder) => config.host_path(folder),
        };
        if let Some(password) = &self.password {
            config.password(password);
        }
        config
    }

    /// For sqlx.
    pub(crate) fn options(&self) -> PgConnectOptions {
        let mode = match self.ssl_mode {
            SslMode::Disable => PgSslMode::Disable,
            SslMode::Prefer => PgSslMode::Prefer,
            SslMode::Require => PgSslMode::Require,
            SslMode::VerifyFull => PgSslMode::VerifyFull,
        };
        let mut options = PgConnectOptions::new_without_pgpass()
            .username(&self.user)
            .database(&self.database)
            .port(self.port)
            .ssl_mode(mode)
            .application_name(&self.application_name)
            // PgBouncer refuses start-up parameters that it does not know.
            .extra_float_digits(None);
        options = match &self.host {
            Host::Tcp(name) => options.host(name),
            #[cfg(unix)]
            Host::Unix(folder) => options.socket(folder),
        };
        if let Some(password) = &self.password {
            options = options.password(&String::from_utf8_lossy(password));
        }
        if let Some(root) = &self.ssl_root {
            options = options.ssl_root_cert(root);
        }
        options
    }
}

impl fmt::Display for PgUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match &self.host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(folder) => folder.display().to_string(),
        };
        write!(
            f,
            "postgres://{}@{host}:{}/{}?sslmode={}",
            self.user,
            self.port,
            self.database,
            self.ssl_mode.as_str()
        )
    }
}

impl fmt::Debug for PgUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PgUrl({self})")
    }
}

impl std::str::FromStr for PgUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

fn percent_decoded(text: &str) -> Result<String, UrlError> {
    let broken = || UrlError("the database URL has a broken %XX in a parameter".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or_else(broken)?;
        let digits = str::from_utf8(digits).map_err(|_| broken())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| broken())?);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_prints_without_its_password() {
        let url = PgUrl::parse("postgres://brain:hunter%402@db.example:6432/z4j?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem").unwrap();
        assert_eq!(
            url.to_string(),
            "postgres://brain@db.example:6432/z4j?sslmode=verify-full"
        );
        assert!(!format!("{url:?}").contains("hunter"));
        assert_eq!(url.ssl_root(), Some(Path::new("/etc/ca.pem")));
        assert_eq!(url.config().get_password(), Some(b"hunter@2".as_slice()));
    }

    #[test]
    fn what_cannot_be_used_is_refused_in_a_sentence_without_the_password() {
        let cases = [
            ("mysql://a:hunter@b/c", "postgres://"),
            ("postgres://a:hunter@b/c?sslmode=allow", "sslmode=allow"),
            ("postgres://a:hunter@b/c?service=x", "service"),
            ("postgres://a:hunter@b,d/c", "one host"),
            ("postgres://b/c", "no user"),
            ("postgres://a:hunter@b:x/c", "cannot be read"),
            ("postgres://a:hunter@b/c?sslrootcert=%4", "%XX"),
        ];
        for (text, named) in cases {
            let refusal = PgUrl::parse(text).expect_err(text).to_string();
            assert!(refusal.contains(named), "{text}: {refusal}");
            assert!(!refusal.contains("hunter"), "{refusal}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_named_by_its_folder() {
        let url = PgUrl::parse("postgres://brain@%2Frun%2Fpostgresql/z4j").unwrap();
        assert_eq!(
            url.config().get_hosts(),
            [Host::Unix("/run/postgresql".into())]
        );
    }
}
