//! Which brains to drive: our own, started fresh, and any others by URL and credentials.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::Args;
use secrecy::SecretString;

use crate::client::Login;
use crate::credentials::{self, Credentials};
use crate::meter::{Watched, usage_of};
use crate::postgres::Server;
use crate::process::release_binary;
use crate::stores::StoreKind;

/// Which brains to drive. Several are measured side by side: A B A B, never one after the other.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Brains")]
pub(crate) struct TargetArgs {
    /// Our own brain, started fresh on this store for every run; without --brain the default is sqlite
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) store: Vec<StoreKind>,
    /// The brain binary to start [default: the release build, made when absent]
    #[arg(long)]
    pub(crate) binary: Option<PathBuf>,
    /// The PostgreSQL server in which --store postgres makes its databases; without one a temporary server is started
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// A brain that runs already, by its base URL; may be repeated
    #[arg(long, value_name = "URL")]
    pub(crate) brain: Vec<String>,
    /// The agents of that brain: one per line, token and HMAC secret with white space between; one file per --brain
    #[arg(long, value_name = "FILE", conflicts_with_all = ["token", "secret"])]
    pub(crate) credentials: Vec<PathBuf>,
    /// Instead of --credentials: a file that holds one agent's token
    #[arg(long, value_name = "FILE")]
    pub(crate) token: Vec<PathBuf>,
    /// A file that holds the HMAC secret for --token
    #[arg(long, value_name = "FILE")]
    pub(crate) secret: Vec<PathBuf>,
    /// The process of that brain, to measure its CPU and memory; with its children
    #[arg(long)]
    pub(crate) pid: Vec<u32>,
    /// The first process of the PostgreSQL server that it uses
    #[arg(long)]
    pub(crate) pg_pid: Vec<u32>,
    /// Who signs in to that brain, where a bench needs REST
    #[arg(long)]
    pub(crate) email: Vec<String>,
    /// A file that holds the password for --email
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Vec<PathBuf>,
    /// The slug of the project of that brain's agents
    #[arg(long, default_value = "default")]
    pub(crate) project: String,
}

/// A brain to drive.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// Ours, started for each run.
    Own(Own),
    /// One that runs already.
    Foreign(Foreign),
}

/// Our own brain.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    /// What it keeps its data in.
    pub(crate) kind: StoreKind,
    /// The binary.
    pub(crate) binary: PathBuf,
    /// The server, for PostgreSQL.
    pub(crate) server: Option<Arc<Server>>,
}

/// A brain that runs already.
#[derive(Clone, Debug)]
pub(crate) struct Foreign {
    /// Its base URL.
    pub(crate) url: String,
    /// Its agents.
    pub(crate) credentials: Vec<Credentials>,
    /// How to sign in.
    pub(crate) login: Option<Login>,
    /// What to measure.
    pub(crate) watched: Watched,
}

impl TargetArgs {
    /// All brains, ours first. Credentials and processes are looked at; no brain is spoken to yet.
    pub(crate) async fn resolve(&self) -> anyhow::Result<Vec<Target>> {
        let mut kinds = self.store.clone();
        if kinds.is_empty() && self.brain.is_empty() {
            kinds.push(StoreKind::Sqlite);
        }
        let foreign = self.foreign()?;
        let mut targets = Vec::new();
        for kind in kinds {
            targets.push(Target::Own(self.own(kind, None).await?));
        }
        targets.extend(foreign.into_iter().map(Target::Foreign));
        Ok(targets)
    }

    /// Our own brain on one store; with `dir` a temporary PostgreSQL server keeps its data there.
    pub(crate) async fn own(&self, kind: StoreKind, dir: Option<PathBuf>) -> anyhow::Result<Own> {
        let server = match kind {
            StoreKind::Sqlite => None,
            StoreKind::Postgres => {
                let url = self.database_url.as_deref().filter(|url| !url.is_empty());
                Some(Server::open(url, dir.as_deref()).await?)
            }
        };
        Ok(Own {
            kind,
            binary: release_binary(self.binary.as_deref())?,
            server,
        })
    }

    /// The brains that run already.
    pub(crate) fn foreign(&self) -> anyhow::Result<Vec<Foreign>> {
        let count = self.brain.len();
        let many = |name: &str, given: usize, optional: bool| {
            ensure!(
                given == count || (optional && given == 0),
                "{count} brains were given and {given} times {name}: each brain needs its own, in the same order"
            );
            Ok(())
        };
        if self.token.is_empty() {
            many("--credentials", self.credentials.len(), false)?;
        } else {
            many("--token", self.token.len(), false)?;
            many("--secret", self.secret.len(), false)?;
        }
        many("--pid", self.pid.len(), true)?;
        many("--pg-pid", self.pg_pid.len(), true)?;
        many("--email", self.email.len(), true)?;
        many(
            "--password-file",
            self.password_file.len(),
            self.email.is_empty(),
        )?;
        (0..count).map(|index| self.one(index)).collect()
    }

    fn one(&self, index: usize) -> anyhow::Result<Foreign> {
        let url = self.brain[index].trim_end_matches('/').to_owned();
        ensure!(
            url.starts_with("http://"),
            "{url} does not begin with http://: TLS would be measured too, so drive the brain behind it"
        );
        let credentials = match self.credentials.get(index) {
            Some(path) => credentials::read_file(&url, path)?,
            None => vec![credentials::read_pair(
                &url,
                &self.token[index],
                &self.secret[index],
            )?],
        };
        let login = match self.email.get(index) {
            None => None,
            Some(email) => {
                let path = self.password_file.get(index);
                let path = path.context("--email needs --password-file")?;
                let password = credentials::read(path)?;
                Some(Login {
                    email: email.clone(),
                    password: SecretString::from(password.trim().to_owned()),
                    project: self.project.clone(),
                })
            }
        };
        let watched = Watched {
            brain: self.pid.get(index).copied(),
            postgres: self.pg_pid.get(index).copied(),
        };
        for pid in [watched.brain, watched.postgres].into_iter().flatten() {
            usage_of(pid)?;
        }
        Ok(Foreign {
            url,
            credentials,
            login,
            watched,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut TargetArgs)) -> String {
        let mut args = TargetArgs {
            brain: vec!["http://127.0.0.1:1".into()],
            ..TargetArgs::default()
        };
        change(&mut args);
        format!("{:#}", args.foreign().unwrap_err())
    }

    #[test]
    fn brain_without_credentials_is_refused_in_one_sentence() {
        let sentence = refused(|_| ());
        assert!(sentence.contains("--credentials"), "{sentence}");
        let sentence = refused(|args| args.credentials = vec!["/nowhere/at/all".into()]);
        assert!(
            sentence.starts_with("/nowhere/at/all cannot be read"),
            "{sentence}"
        );
    }

    #[test]
    fn process_that_is_not_there_and_https_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "t s\n").unwrap();
        let path = file.path().to_path_buf();
        let sentence = refused(|args| {
            args.credentials = vec![path.clone()];
            args.pid = vec![u32::MAX];
        });
        assert!(sentence.contains("no process"), "{sentence}");
        let sentence = refused(|args| {
            args.credentials = vec![path];
            args.brain = vec!["https://example.org".into()];
        });
        assert!(sentence.contains("http://"), "{sentence}");
    }
}
