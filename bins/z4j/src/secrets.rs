//! The brain's secrets: given by the operator, or minted into `secret.env` on first start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use z4j_brain::config::BrainSecrets;
use z4j_core::limits::SECRET_BYTES_MIN;

use crate::database::Choice;
use crate::settings::Settings;

const FILE_NAME: &str = "secret.env";
const NAMES: [&str; 3] = ["Z4J_SECRET", "Z4J_SESSION_SECRET", "Z4J_AUDIT_CHAIN_SECRET"];

/// Collects the secrets; mints and keeps those that are missing.
///
/// # Errors
/// When a secret is too short, when the file can be read by others, or when the database was made with secrets that are
/// not there: new ones would lock every agent out without a word.
pub(crate) async fn load(settings: &Settings, database: &Choice) -> anyhow::Result<BrainSecrets> {
    let path = settings.data_dir.join(FILE_NAME);
    let mut stored = read(&path)?;
    let given = [
        &settings.secret,
        &settings.session_secret,
        &settings.audit_chain_secret,
    ];
    let mut found: [Option<SecretString>; 3] = std::array::from_fn(|index| {
        given
            .get(index)
            .and_then(|secret| (*secret).clone())
            .or_else(|| stored.get_mut(index).and_then(Option::take))
    });
    let missing: Vec<&str> = NAMES
        .iter()
        .zip(&found)
        .filter(|(_, secret)| secret.is_none())
        .map(|(name, _)| *name)
        .collect();
    if !missing.is_empty() {
        ensure!(
            database.is_new().await?,
            "there is a database at {}, but {} is neither in the environment nor in {}: give back the secret it was made with",
            database.name(),
            missing.join(" and "),
            path.display()
        );
        mint(&path, &mut found)?;
    }
    let [Some(master), Some(session), Some(audit)] = found else {
        bail!("a secret is missing");
    };
    for (name, secret) in NAMES.iter().zip([&master, &session, &audit]) {
        let is_long_enough = secret.expose_secret().len() >= SECRET_BYTES_MIN;
        ensure!(
            is_long_enough,
            "{name} must have at least {SECRET_BYTES_MIN} bytes"
        );
    }
    Ok(BrainSecrets {
        master,
        session,
        audit,
    })
}

/// Reads the file, when it is there and nobody else can.
fn read(path: &Path) -> anyhow::Result<[Option<SecretString>; 3]> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok([None, None, None]),
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", path.display()));
        }
    };
    let metadata = fs::metadata(path)?;
    let own_uid = fs::metadata("/proc/self").map_or_else(|_| metadata.uid(), |own| own.uid());
    ensure!(
        metadata.uid() == own_uid,
        "{} belongs to another user",
        path.display()
    );
    ensure!(
        metadata.mode().trailing_zeros() >= 6,
        "{} can be read by others: run chmod 600 on it",
        path.display()
    );
    Ok(NAMES.map(|name| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, value)| key.trim() == name && !value.trim().is_empty())
            .map(|(_, value)| SecretString::from(value.trim().to_owned()))
    }))
}

/// Adds what is missing; the file is replaced as a whole, so that a crash leaves the old one or the new one.
fn mint(path: &Path, found: &mut [Option<SecretString>; 3]) -> anyhow::Result<()> {
    let mut lines = fs::read_to_string(path).unwrap_or_default();
    for (name, secret) in NAMES.iter().zip(found.iter_mut()) {
        if secret.is_some() {
            continue;
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).context("the operating system gives no random bytes")?;
        let text = URL_SAFE_NO_PAD.encode(bytes);
        lines.push_str(&format!("{name}={text}\n"));
        *secret = Some(SecretString::from(text));
    }
    let draft = path.with_extension("env.new");
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(lines.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        path.parent()
            .map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    write().with_context(|| format!("the secrets cannot be written to {}", path.display()))
}
