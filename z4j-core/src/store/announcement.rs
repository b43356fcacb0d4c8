//! What a brain tells the others about what it committed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, CommandId, ProjectId, ReplicaId};
use crate::limits::ANNOUNCEMENT_BYTES_MAX;

/// What an announcement takes beside its news: the names of its members, an id and a number of any size.
const ENVELOPE_BYTES: usize = 100;

/// What a brain tells the others at once. It names rows; whoever needs them reads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Who tells.
    #[serde(rename = "f")]
    pub from: ReplicaId,
    /// 1 for a brain's first announcement, and one more for each further one. Who hears a number twice has heard it; who
    /// hears a gap has missed something.
    #[serde(rename = "n")]
    pub number: u64,
    /// What changed.
    #[serde(rename = "w")]
    pub news: Vec<News>,
}

/// One thing that changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum News {
    /// These tasks of one engine.
    #[serde(rename = "t")]
    Tasks {
        /// The tenant.
        #[serde(rename = "p")]
        project: ProjectId,
        /// The engine.
        #[serde(rename = "e")]
        engine: String,
        /// The engine's ids of the tasks.
        #[serde(rename = "i")]
        task_ids: Vec<String>,
    },
    /// A command.
    #[serde(rename = "c")]
    Command {
        /// The tenant.
        #[serde(rename = "p")]
        project: ProjectId,
        /// Which.
        #[serde(rename = "i")]
        id: CommandId,
    },
    /// An agent, or one of its links.
    #[serde(rename = "a")]
    Agent {
        /// The tenant.
        #[serde(rename = "p")]
        project: ProjectId,
        /// Which.
        #[serde(rename = "i")]
        id: AgentId,
    },
    /// These workers of one engine.
    #[serde(rename = "w")]
    Workers {
        /// The tenant.
        #[serde(rename = "p")]
        project: ProjectId,
        /// The engine.
        #[serde(rename = "e")]
        engine: String,
        /// The engine's names of the workers.
        #[serde(rename = "i")]
        names: Vec<String>,
    },
    /// These queues of one engine.
    #[serde(rename = "q")]
    Queues {
        /// The tenant.
        #[serde(rename = "p")]
        project: ProjectId,
        /// The engine.
        #[serde(rename = "e")]
        engine: String,
        /// The names of the queues.
        #[serde(rename = "i")]
        names: Vec<String>,
    },
    /// Counts of a project.
    #[serde(rename = "n")]
    Counters {
        /// The tenant.
        #[serde(rename = "p")]
        project: ProjectId,
    },
    /// Something of a project, too much to name: whoever follows it reads it anew.
    #[serde(rename = "x")]
    Changed {
        /// The tenant.
        #[serde(rename = "p")]
        project: ProjectId,
    },
    /// Something of any project.
    #[serde(rename = "X")]
    Everything,
}

/// What a brain hears of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// This; its own announcements come back to it too.
    Announced(Announcement),
    /// Announcements may have been made since the last one that was heard, and will not come.
    MayHaveMissed,
}

impl Announcement {
    /// The announcement as text of at most [`ANNOUNCEMENT_BYTES_MAX`]; `None` when it is larger. What [`News::pack`] made
    /// never is.
    #[must_use]
    pub fn encode(&self) -> Option<String> {
        let text = serde_json::to_string(self).ok()?;
        (text.len() <= ANNOUNCEMENT_BYTES_MAX).then_some(text)
    }

    /// Reads the text back; `None` for what this version does not know.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl News {
    /// The project that it is about; `None` for all.
    #[must_use]
    pub const fn project(&self) -> Option<ProjectId> {
        match self {
            Self::Tasks { project, .. }
            | Self::Command { project, .. }
            | Self::Agent { project, .. }
            | Self::Workers { project, .. }
            | Self::Queues { project, .. }
            | Self::Counters { project }
            | Self::Changed { project } => Some(*project),
            Self::Everything => None,
        }
    }

    /// Divides `news` among at most `parts_max` announcements, each as full as it can be. What finds no room is said as
    /// [`Self::Changed`] of its project, or as [`Self::Everything`].
    #[must_use]
    pub fn pack(news: impl IntoIterator<Item = Self>, parts_max: usize) -> Vec<Vec<Self>> {
        let mut packing = Packing {
            parts: Vec::new(),
            room: 0,
            // The last one is kept for what finds no room in the others.
            parts_max: parts_max.saturating_sub(1),
            changed: BTreeSet::new(),
        };
        for item in news {
            packing.add(item);
        }
        packing.finish()
    }

    fn bytes(&self) -> usize {
        // And the comma after it.
        serde_json::to_string(self).map_or(usize::MAX, |text| text.len().saturating_add(1))
    }

    /// Two halves, of a list that has them.
    fn halves(self) -> Result<(Self, Self), Self> {
        let half =
            |list: &mut Vec<String>| (list.len() > 1).then(|| list.split_off(list.len() / 2));
        let mut first = self;
        let second = match &mut first {
            Self::Tasks {
                project,
                engine,
                task_ids,
            } => half(task_ids).map(|task_ids| Self::Tasks {
                project: *project,
                engine: engine.clone(),
                task_ids,
            }),
            Self::Workers {
                project,
                engine,
                names,
            } => half(names).map(|names| Self::Workers {
                project: *project,
                engine: engine.clone(),
                names,
            }),
            Self::Queues {
                project,
                engine,
                names,
            } => half(names).map(|names| Self::Queues {
                project: *project,
                engine: engine.clone(),
                names,
            }),
            _ => None,
        };
        match second {
            Some(second) => Ok((first, second)),
            None => Err(first),
        }
    }
}

struct Packing {
    parts: Vec<Vec<News>>,
    /// What the last part still takes, in bytes.
    room: usize,
    parts_max: usize,
    changed: BTreeSet<Option<ProjectId>>,
}

impl Packing {
    fn add(&mut self, item: News) {
        if self.changed.contains(&item.project()) {
            return;
        }
        match item {
            News::Changed { project } => {
                self.changed.insert(Some(project));
            }
            News::Everything => {
                self.changed.insert(None);
            }
            item => self.place(item),
        }
    }

    fn place(&mut self, item: News) {
        const WHOLE: usize = ANNOUNCEMENT_BYTES_MAX - ENVELOPE_BYTES;
        let bytes = item.bytes();
        if bytes > self.room && bytes <= WHOLE && self.parts.len() < self.parts_max {
            self.parts.push(Vec::new());
            self.room = WHOLE;
        }
        if bytes <= self.room
            && let Some(part) = self.parts.last_mut()
        {
            part.push(item);
            self.room -= bytes;
            return;
        }
        match item.halves() {
            Ok((first, second)) => {
                self.add(first);
                self.add(second);
            }
            Err(item) => {
                self.changed.insert(item.project());
            }
        }
    }

    fn finish(mut self) -> Vec<Vec<News>> {
        if self.changed.is_empty() {
            return self.parts;
        }
        let changed = |project: &Option<ProjectId>| {
            project.map_or(News::Everything, |project| News::Changed { project })
        };
        let mut rest: Vec<News> = self.changed.iter().map(changed).collect();
        let bytes: usize = rest.iter().map(News::bytes).sum();
        if bytes > ANNOUNCEMENT_BYTES_MAX - ENVELOPE_BYTES || rest.contains(&News::Everything) {
            rest = vec![News::Everything];
        }
        self.parts.push(rest);
        self.parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(project: u128, count: usize) -> News {
        News::Tasks {
            project: ProjectId::from_u128(project),
            engine: "celery".to_owned(),
            task_ids: (0..count).map(|id| format!("{id:036}")).collect(),
        }
    }

    fn ids(parts: &[Vec<News>]) -> usize {
        let lists = parts.iter().flatten().map(|news| match news {
            News::Tasks { task_ids, .. } => task_ids.len(),
            _ => 0,
        });
        lists.sum()
    }

    fn all_fit(parts: &[Vec<News>]) {
        for news in parts {
            let announcement = Announcement {
                from: ReplicaId::from_u128(u128::MAX),
                number: u64::MAX,
                news: news.clone(),
            };
            let text = announcement.encode().expect("it fits");
            assert_eq!(Announcement::decode(&text), Some(announcement));
        }
    }

    #[test]
    fn little_news_is_one_announcement() {
        let news = [
            tasks(1, 3),
            News::Counters {
                project: ProjectId::from_u128(1),
            },
        ];
        let parts = News::pack(news.clone(), 4);
        assert_eq!(parts, [news.to_vec()]);
    }

    #[test]
    fn much_news_is_divided_and_fills_what_there_is() {
        let parts = News::pack([tasks(1, 600)], 8);
        all_fit(&parts);
        assert_eq!(ids(&parts), 600);
        assert!(parts.len() <= 5, "{} parts for 23 kB", parts.len());
    }

    #[test]
    fn what_finds_no_room_is_said_as_changed() {
        let parts = News::pack([tasks(1, 10), tasks(2, 2_000), tasks(3, 1)], 3);
        all_fit(&parts);
        assert!(parts.len() <= 3);
        let project = ProjectId::from_u128(2);
        assert!(
            parts
                .iter()
                .flatten()
                .any(|news| *news == News::Changed { project })
        );
        let text = "x".repeat(2 * ANNOUNCEMENT_BYTES_MAX);
        let giant = News::Workers {
            project,
            engine: "e".to_owned(),
            names: vec![text],
        };
        assert_eq!(News::pack([giant], 2), [vec![News::Changed { project }]]);
    }

    #[test]
    fn more_projects_than_can_be_named_are_everything() {
        let changed = |id| News::Changed {
            project: ProjectId::from_u128(id),
        };
        assert_eq!(
            News::pack((0..500).map(changed), 4),
            [vec![News::Everything]]
        );
        all_fit(&News::pack((0..100).map(changed), 4));
    }

    #[test]
    fn nothing_needs_no_announcement() {
        assert!(News::pack([], 4).is_empty());
        assert_eq!(Announcement::decode("{\"f\":1}"), None);
    }
}
