//! Settings: flag beats variable beats `z4j.toml` beats default.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use etcetera::BaseStrategy;
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::cli::Place;

const BIND_DEFAULT: &str = "127.0.0.1:7700";
const FILE_NAME: &str = "z4j.toml";

/// The variables that the brain reads, without `Z4J_`. The data folder is read on its own: the file lies in it.
pub(crate) const VARIABLES: [&str; 18] = [
    "BIND",
    "DATA_DIR",
    "DATABASE_URL",
    "DATABASE_LISTEN_URL",
    "DATABASE_TLS_ROOT",
    "DATABASE_SCHEMA",
    "DATABASE_CONNECTIONS",
    "DATABASE_PGBOUNCER",
    "DATABASE_ALLOW_WEAK_DURABILITY",
    "PUBLIC_URL",
    "SECRET",
    "SESSION_SECRET",
    "AUDIT_CHAIN_SECRET",
    "LOG",
    "LOG_FORMAT",
    "METRICS_TOKEN",
    "BOOTSTRAP_ADMIN_EMAIL",
    "BOOTSTRAP_ADMIN_PASSWORD",
];

/// Variables of agents that may stand in the same environment.
const AGENT_VARIABLES: [&str; 25] = [
    "HOME",
    "BRAIN_URL",
    "TOKEN",
    "PROJECT_ID",
    "HMAC_SECRET",
    "AGENT_NAME",
    "AGENT_ID",
    "TRANSPORT",
    "WORKER_ROLE",
    "HEARTBEAT",
    "HEARTBEAT_SECONDS",
    "AGENT_STATUS_DISABLED",
    "BUFFER_MAX_EVENTS",
    "BUFFER_MAX_BYTES",
    "MAX_PAYLOAD_BYTES",
    "REDACTION_EXTRA_KEY_PATTERNS",
    "REDACTION_EXTRA_VALUE_PATTERNS",
    "DISABLED",
    "ENVIRONMENT",
    "TAGS",
    "ENGINES",
    "SCHEDULERS",
    "AUTOSTART",
    "STRICT_MODE",
    "DEV_MODE",
];

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The address to listen on.
    pub(crate) bind: SocketAddr,
    /// The folder of the database, secrets and `z4j.toml`.
    #[serde(skip)]
    pub(crate) data_dir: PathBuf,
    /// The database, when it is not the SQLite file.
    #[serde(default, deserialize_with = "secret")]
    pub(crate) database_url: Option<SecretString>,
    /// The PostgreSQL server without PgBouncer, for notifications.
    #[serde(default, deserialize_with = "secret")]
    pub(crate) database_listen_url: Option<SecretString>,
    /// A file with the authorities that the server's certificate may come from.
    pub(crate) database_tls_root: Option<PathBuf>,
    /// The PostgreSQL schema that holds z4j's tables.
    pub(crate) database_schema: Option<String>,
    /// Connections to PostgreSQL at most, beside those of ingest and notifications.
    #[serde(default, deserialize_with = "number")]
    pub(crate) database_connections: Option<u32>,
    /// The URL leads to PgBouncer in transaction mode.
    #[serde(default, deserialize_with = "switch")]
    pub(crate) database_pgbouncer: bool,
    /// Start on a server that may lose what it said was stored.
    #[serde(default, deserialize_with = "switch")]
    pub(crate) database_allow_weak_durability: bool,
    /// The URL that people use.
    pub(crate) public_url: Option<String>,
    /// The master secret.
    #[serde(default, deserialize_with = "secret")]
    pub(crate) secret: Option<SecretString>,
    /// The secret for what browsers get.
    #[serde(default, deserialize_with = "secret")]
    pub(crate) session_secret: Option<SecretString>,
    /// The secret that seals the audit chain.
    #[serde(default, deserialize_with = "secret")]
    pub(crate) audit_chain_secret: Option<SecretString>,
    /// The filter for log lines.
    pub(crate) log: String,
    /// How log lines look.
    pub(crate) log_format: LogFormat,
    /// Opens `/metrics`.
    #[serde(default, deserialize_with = "secret")]
    pub(crate) metrics_token: Option<SecretString>,
    /// The first admin, when there is nobody yet.
    pub(crate) bootstrap_admin_email: Option<String>,
    /// That admin's password.
    #[serde(default, deserialize_with = "secret")]
    pub(crate) bootstrap_admin_password: Option<SecretString>,
}

#[derive(Serialize)]
struct Defaults {
    bind: &'static str,
    log: &'static str,
    log_format: LogFormat,
}

/// What flags say; absent members leave the word to the next layer.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Flags {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bind: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_url: Option<String>,
}

impl Settings {
    /// Reads all layers.
    pub(crate) fn read(place: &Place, mut flags: Flags) -> anyhow::Result<Self> {
        let data_dir = data_dir(place.data_dir.clone())?;
        flags.database_url.clone_from(&place.database_url);
        let mut settings: Self = layers(&data_dir, &flags)
            .extract()
            .context("a setting cannot be used")?;
        settings.data_dir = data_dir;
        Ok(settings)
    }
}

fn layers(data_dir: &Path, flags: &Flags) -> Figment {
    let defaults = Defaults {
        bind: BIND_DEFAULT,
        log: "info",
        log_format: LogFormat::Text,
    };
    let file = data_dir.join(FILE_NAME);
    let mut figment = Figment::from(Serialized::defaults(defaults));
    if file.exists() {
        figment = figment.merge(Toml::file_exact(file));
    }
    figment
        .merge(Serialized::defaults(environment()))
        .merge(Serialized::defaults(flags.clone()))
}

/// The variables that are set, each as the text that it is: a password of digits is no number, and quotes belong to it.
/// An empty variable counts as not set.
fn environment() -> BTreeMap<String, String> {
    VARIABLES
        .into_iter()
        .filter(|name| *name != "DATA_DIR")
        .filter_map(|name| Some((name, std::env::var(format!("Z4J_{name}")).ok()?)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect()
}

/// Reads a secret, and never repeats what stands in its place.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    match serde_json::Value::deserialize(deserializer) {
        Ok(serde_json::Value::String(text)) => Ok(Some(SecretString::from(text))),
        _ => Err(de::Error::custom("a secret is written as text in quotes")),
    }
}

/// A number, also as the text that a variable is.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let number = match &value {
        serde_json::Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    let wanted = || de::Error::custom(format!("{value} is not a whole number"));
    number.map(Some).ok_or_else(wanted)
}

/// On or off, also as the text that a variable is.
fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    match &value {
        serde_json::Value::Bool(is_on) => Ok(*is_on),
        serde_json::Value::String(text) if matches!(&**text, "true" | "1") => Ok(true),
        serde_json::Value::String(text) if matches!(&**text, "false" | "0") => Ok(false),
        _ => Err(de::Error::custom(format!(
            "{value} is neither true nor false"
        ))),
    }
}

fn data_dir(flag: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let variable = std::env::var_os("Z4J_DATA_DIR").filter(|value| !value.is_empty());
    if let Some(dir) = flag.or_else(|| variable.map(PathBuf::from)) {
        return Ok(dir);
    }
    let base = etcetera::choose_base_strategy()
        .context("no home folder: name a data folder with --data-dir")?;
    Ok(base.data_dir().join("z4j"))
}

/// One sentence for each variable that begins with `Z4J_` and that nobody reads.
#[must_use]
pub(crate) fn unknown_variables() -> Vec<String> {
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter_map(|name| unknown_variable(&name))
        .collect()
}

fn unknown_variable(name: &str) -> Option<String> {
    let short = name.strip_prefix("Z4J_")?;
    if VARIABLES.contains(&short) || AGENT_VARIABLES.contains(&short) {
        return None;
    }
    let nearest = VARIABLES
        .into_iter()
        .min_by_key(|known| strsim::damerau_levenshtein(known, short))?;
    Some(format!(
        "{name} is not read by the brain; the nearest known name is Z4J_{nearest}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_variable_is_answered_with_the_nearest_name() {
        let sentence = unknown_variable("Z4J_BNID").unwrap();
        assert!(sentence.ends_with("Z4J_BIND"), "{sentence}");
        assert_eq!(unknown_variable("Z4J_BIND"), None);
        assert_eq!(unknown_variable("Z4J_BRAIN_URL"), None);
        assert_eq!(unknown_variable("PATH"), None);
    }

    #[test]
    fn flags_beat_the_file_and_the_file_beats_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let read = |flags: &Flags| layers(dir.path(), flags).extract::<Settings>().unwrap();
        assert_eq!(read(&Flags::default()).bind.port(), 7700);
        std::fs::write(
            dir.path().join(FILE_NAME),
            "bind = \"127.0.0.1:7701\"\nlog_format = \"json\"\n",
        )
        .unwrap();
        assert_eq!(read(&Flags::default()).bind.port(), 7701);
        assert_eq!(read(&Flags::default()).log_format, LogFormat::Json);
        let flags = Flags {
            bind: Some("127.0.0.1:7702".parse().unwrap()),
            ..Flags::default()
        };
        assert_eq!(read(&flags).bind.port(), 7702);
    }

    #[test]
    fn a_secret_of_digits_is_refused_without_being_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        let read = || {
            let layers = layers(dir.path(), &Flags::default());
            layers.extract::<Settings>().map_err(anyhow::Error::from)
        };
        std::fs::write(&file, "metrics_token = 918273645546\n").unwrap();
        let error = format!("{:#}", read().unwrap_err());
        assert!(
            error.contains("metrics_token") && !error.contains("918273645546"),
            "{error}"
        );
        std::fs::write(&file, "metrics_token = \"918273645546\"\n").unwrap();
        let token = read().unwrap().metrics_token.unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(&token), "918273645546");
    }

    #[test]
    fn an_unknown_member_of_the_file_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE_NAME), "bnid = \"127.0.0.1:7701\"\n").unwrap();
        let error = layers(dir.path(), &Flags::default())
            .extract::<Settings>()
            .unwrap_err();
        assert!(error.to_string().contains("bnid"), "{error}");
    }
}
