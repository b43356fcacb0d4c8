//! A brain that is ready to be driven, and what is left of it afterwards.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::client::{Admin, Minted};
use crate::credentials::Credentials;
use crate::link::Link;
use crate::meter::Watched;
use crate::postgres::Database;
use crate::process::{BrainProcess, Launch};
use crate::stores::{self, Opened};
use crate::target::{Foreign, Own, Target};

/// A brain that is ready to be driven.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Its agents.
    pub(crate) credentials: Vec<Credentials>,
    /// Somebody who is signed in, where that is possible.
    pub(crate) admin: Option<Admin>,
    /// What to measure.
    pub(crate) watched: Watched,
    // Before the folder and the database: fields are dropped in this order.
    _own: Option<OwnBrain>,
}

/// Our own brain and what it keeps its data in.
#[derive(Debug)]
pub(crate) struct OwnBrain {
    process: Option<BrainProcess>,
    is_migrated: bool,
    /// How it was started.
    pub(crate) launch: Launch,
    /// Its database, when that is not the file in its folder.
    pub(crate) database: Option<Database>,
    _folder: Option<tempfile::TempDir>,
}

/// Where our own brain keeps its data, so that it can be used again.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// The folder.
    pub(crate) dir: PathBuf,
    /// The database, for PostgreSQL.
    pub(crate) database: String,
}

impl Target {
    /// The word for tables.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Own(own) => format!("z4j {}", own.kind.as_str()),
            Self::Foreign(foreign) => foreign.url.clone(),
        }
    }

    /// A brain with at least `agents` agents: ours with a fresh store, another as it is.
    pub(crate) async fn ready(&self, agents: usize) -> anyhow::Result<Ready> {
        match self {
            Self::Own(own) => {
                let mut brain = own.brain(None).await?;
                brain.start()?;
                let (admin, minted) = brain.agents(agents.max(1)).await?;
                let credentials = minted.into_iter().map(|agent| agent.credentials).collect();
                let watched = brain.watched();
                Ok(Ready::with(credentials, admin, watched, brain))
            }
            Self::Foreign(foreign) => foreign.ready(agents).await,
        }
    }
}

impl Foreign {
    async fn ready(&self, agents: usize) -> anyhow::Result<Ready> {
        ensure!(
            self.credentials.len() >= agents,
            "this run needs {agents} agents and {} were given for {}: an agent holds 64 links at most",
            self.credentials.len(),
            self.url
        );
        // Says at once, and in one sentence, what is wrong with the URL or the credentials.
        for credentials in self.credentials.iter().take(agents) {
            Link::connect(credentials, "bench-probe").await?;
        }
        let admin = match &self.login {
            Some(login) => Some(Admin::sign_in(&self.url, login).await?),
            None => None,
        };
        Ok(Ready {
            credentials: self.credentials.clone(),
            admin,
            watched: self.watched,
            _own: None,
        })
    }
}

impl Ready {
    /// A brain that somebody else holds.
    pub(crate) const fn of(credentials: Vec<Credentials>, admin: Admin, watched: Watched) -> Self {
        Self {
            credentials,
            admin: Some(admin),
            watched,
            _own: None,
        }
    }

    /// Our own brain, which ends with this.
    pub(crate) const fn with(
        credentials: Vec<Credentials>,
        admin: Admin,
        watched: Watched,
        brain: OwnBrain,
    ) -> Self {
        Self {
            credentials,
            admin: Some(admin),
            watched,
            _own: Some(brain),
        }
    }

    /// How many tasks are stored, where somebody is signed in to a brain that says so.
    pub(crate) async fn task_count(&self) -> Option<u64> {
        self.admin.as_ref()?.task_count().await.ok()
    }

    /// Fails unless the brain stores exactly `tasks` more tasks than `before`.
    pub(crate) async fn check_stored(&self, before: Option<u64>, tasks: u64) -> anyhow::Result<()> {
        if let (Some(before), Some(after)) = (before, self.task_count().await) {
            let stored = after - before;
            ensure!(
                stored == tasks,
                "{stored} of {tasks} acknowledged tasks are stored"
            );
        }
        Ok(())
    }

    /// Somebody who is signed in.
    pub(crate) fn signed_in(&self) -> anyhow::Result<&Admin> {
        self.admin
            .as_ref()
            .context("this bench uses REST: give --email and --password-file for each --brain")
    }
}

impl Own {
    /// Our brain, not started yet; in a temporary place unless it is to be kept.
    pub(crate) async fn brain(&self, kept: Option<&Kept>) -> anyhow::Result<OwnBrain> {
        let folder = match kept {
            Some(_) => None,
            None => Some(tempfile::tempdir()?),
        };
        let dir = match (&folder, kept) {
            (Some(folder), _) => folder.path().join("data"),
            (None, kept) => kept.map_or_else(PathBuf::new, |kept| kept.dir.clone()),
        };
        let database = match &self.server {
            Some(server) => Some(
                server
                    .database(kept.map(|kept| kept.database.as_str()))
                    .await?,
            ),
            None => None,
        };
        let url = database.as_ref().map(Database::url);
        let launch = Launch::new(&self.binary, &dir, url)?;
        Ok(OwnBrain {
            process: None,
            is_migrated: false,
            launch,
            database,
            _folder: folder,
        })
    }

    /// An empty store of the same kind, and the place it is in.
    pub(crate) async fn store(&self) -> anyhow::Result<(Opened, OwnBrain)> {
        let place = self.brain(None).await?;
        let store = place.open_store().await?;
        Ok((store, place))
    }
}

impl OwnBrain {
    /// Starts it; answers how many seconds it took to be ready.
    pub(crate) fn start(&mut self) -> anyhow::Result<f64> {
        if self.database.is_some() && !self.is_migrated {
            self.launch.migrate()?;
            self.is_migrated = true;
        }
        let (process, took) = self.launch.start()?;
        self.process = Some(process);
        Ok(took.as_secs_f64())
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().map_or(Ok(()), BrainProcess::kill)
    }

    /// Signs in.
    pub(crate) async fn sign_in(&self) -> anyhow::Result<Admin> {
        Admin::sign_in(&self.launch.url(), &Launch::login()).await
    }

    /// Signs in and mints `agents` agents.
    pub(crate) async fn agents(&self, agents: usize) -> anyhow::Result<(Admin, Vec<Minted>)> {
        let admin = self.sign_in().await?;
        let mut minted = Vec::with_capacity(agents);
        for index in 0..agents {
            minted.push(admin.mint(&format!("bench-{index}")).await?);
        }
        Ok((admin, minted))
    }

    /// Its store, for when it does not run.
    pub(crate) async fn open_store(&self) -> anyhow::Result<Opened> {
        stores::open(self.data_dir(), self.launch.database_url.as_ref()).await
    }

    /// What to measure.
    pub(crate) fn watched(&self) -> Watched {
        Watched {
            brain: self.process.as_ref().map(BrainProcess::pid),
            postgres: self
                .database
                .as_ref()
                .and_then(|database| database.server.pid),
        }
    }

    fn data_dir(&self) -> &Path {
        &self.launch.data_dir
    }
}
