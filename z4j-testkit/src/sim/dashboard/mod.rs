//! Dashboards: people who follow the live stream of a project, as a browser does.
//!
//! Each one goes through the real routes of a brain: it opens the stream, fetches what there is, and folds in what comes.
//! It loses its connection now and then, comes back with the last id that it was given, sometimes at another brain, and
//! fetches anew when it is told `reset`. What it shows in the end must be what the store holds (I-23).

mod door;
mod follower;
mod message;
mod shown;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use z4j_core::id::ProjectId;

use super::Chance;
use super::brain::Brains;
use super::record::Record;
use follower::Follower;
use shown::Shown;

pub(super) use door::Door;
pub(crate) use shown::{ShownCommand, ShownTask};

/// A mistake of a dashboard, or of whatever stands between it and the brain, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DashboardBug {
    /// It is resumed one change too late, as by a brain whose replay skips the first one.
    ResumedOneLate,
    /// It comes back without saying where it was, and takes itself to be up to date.
    IdForgotten,
    /// It does not fetch anew when it is told to.
    ResetIgnored,
}

/// What a dashboard showed at the end.
#[derive(Debug)]
pub(crate) struct DashboardPicture {
    pub(crate) project: ProjectId,
    /// It had an open stream, and had fetched all that it was told to fetch.
    pub(crate) is_following: bool,
    pub(crate) shown: Shown,
}

/// All dashboards: one for each project.
#[derive(Debug)]
pub(crate) struct Dashboards {
    screens: Vec<Arc<Screen>>,
    calm: CancellationToken,
    /// Dropping it closes them.
    tasks: JoinSet<()>,
}

/// What one dashboard shows.
#[derive(Debug)]
struct Screen {
    project: ProjectId,
    slug: String,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    is_connected: bool,
    /// It must fetch before it shows the truth again.
    must_fetch: bool,
    shown: Shown,
}

impl Dashboards {
    /// Opens a dashboard for each project.
    pub(crate) fn open(
        (seed, bug): (u64, Option<DashboardBug>),
        brains: &Arc<Brains>,
        record: &Record,
        projects: &[ProjectId],
    ) -> Self {
        let calm = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut screens = Vec::new();
        for (number, project) in projects.iter().enumerate() {
            let screen = Arc::new(Screen {
                project: *project,
                slug: format!("project-{number}"),
                now: Mutex::default(),
            });
            let follower = Follower {
                number,
                screen: Arc::clone(&screen),
                brains: Arc::clone(brains),
                record: record.clone(),
                chance: Chance::new(seed, &format!("dashboard {number}")),
                calm: calm.clone(),
                bug,
                seen: None,
            };
            tasks.spawn(follower.run());
            screens.push(screen);
        }
        Self {
            screens,
            calm,
            tasks,
        }
    }

    /// From now on no connection is lost by chance, and one that is lost comes back soon.
    pub(crate) fn calm(&self) {
        self.calm.cancel();
    }

    /// Closes all, and says what each one showed.
    pub(crate) async fn close(mut self) -> Vec<DashboardPicture> {
        let pictures = self.screens.iter().map(|screen| {
            let now = screen.lock();
            DashboardPicture {
                project: screen.project,
                is_following: now.is_connected && !now.must_fetch,
                shown: now.shown.clone(),
            }
        });
        let pictures = pictures.collect();
        self.tasks.shutdown().await;
        pictures
    }
}

impl Screen {
    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
