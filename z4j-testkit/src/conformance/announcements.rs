//! What brains tell each other, and the hints that wake them.

use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use z4j_core::audit::ChainId;
use z4j_core::id::{AgentId, CommandId, ProjectId, ReplicaId};
use z4j_core::limits::ANNOUNCEMENT_BYTES_MAX;
use z4j_core::store::{
    Announcement, Heard, News, PasswordHash, RevokeAgent, SetPassword, Store, StoreErrorKind, Topic,
};

use super::scene::{Scene, at_s, audit, fresh_id, mint, new_user};

/// Who announces only to find out who listens.
const PROBE: u128 = 99;
/// Between two tries to be heard by a listener that may not listen yet.
const TRY: Duration = Duration::from_millis(50);
/// A listener that heard nothing for so long has heard all that was said before.
const QUIET: Duration = Duration::from_millis(400);

fn announcement(from: u128, number: u64, news: Vec<News>) -> Announcement {
    Announcement {
        from: ReplicaId::from_u128(from),
        number,
        news,
    }
}

/// Listens, and returns when announcements are really heard.
async fn listen(store: &dyn Store) -> BoxStream<'static, Heard> {
    let mut heard = store.announcements();
    for number in 1.. {
        let probe = announcement(PROBE, number, Vec::new());
        store.announce(probe).await.expect("announcing");
        let next = async {
            loop {
                if let Some(Heard::Announced(_)) = heard.next().await {
                    return;
                }
            }
        };
        if tokio::time::timeout(TRY, next).await.is_ok() {
            break;
        }
    }
    // What may have been missed before somebody listened is said once, and may be said after the first thing heard.
    while tokio::time::timeout(QUIET, heard.next()).await.is_ok() {}
    heard
}

/// The next announcement that is no probe.
async fn next(heard: &mut BoxStream<'static, Heard>) -> Announcement {
    loop {
        match heard.next().await.expect("the stream ends with the store") {
            Heard::Announced(announcement) if announcement.from == ReplicaId::from_u128(PROBE) => {}
            Heard::Announced(announcement) => return announcement,
            Heard::MayHaveMissed => panic!("nothing was lost"),
        }
    }
}

/// One of each kind.
fn news() -> Vec<News> {
    let project = ProjectId::from_u128(u128::MAX);
    let (engine, names) = ("celery".to_owned(), vec!["a\"'\\\u{0}ö".to_owned()]);
    vec![
        News::Tasks {
            project,
            engine: engine.clone(),
            task_ids: names.clone(),
        },
        News::Command {
            project,
            id: CommandId::from_u128(1),
        },
        News::Agent {
            project,
            id: AgentId::from_u128(2),
        },
        News::Workers {
            project,
            engine: engine.clone(),
            names: names.clone(),
        },
        News::Queues {
            project,
            engine,
            names,
        },
        News::Counters { project },
        News::Changed { project },
        News::Everything,
    ]
}

pub(super) async fn announcements_are_heard_by_all_in_order(store: &dyn Store) {
    let mut listeners = [listen(store).await, listen(store).await];
    for number in 1..6 {
        let told = announcement(1, number, news());
        store.announce(told).await.expect("announcing");
    }
    for heard in &mut listeners {
        for number in 1..6 {
            assert_eq!(next(heard).await, announcement(1, number, news()));
        }
    }
}

fn of_bytes(name: usize) -> Announcement {
    let names = vec!["x".repeat(name)];
    let news = News::Workers {
        project: ProjectId::from_u128(1),
        engine: "e".to_owned(),
        names,
    };
    announcement(1, 1, vec![news])
}

pub(super) async fn announcement_that_does_not_fit_is_refused(store: &dyn Store) {
    let refused = store.announce(of_bytes(ANNOUNCEMENT_BYTES_MAX)).await;
    assert_eq!(
        refused.expect_err("it is too large").kind(),
        StoreErrorKind::Internal
    );
}

pub(super) async fn largest_announcement_arrives_whole(store: &dyn Store) {
    let mut heard = listen(store).await;
    let empty = of_bytes(0).encode().map_or(0, |text| text.len());
    let largest = of_bytes(ANNOUNCEMENT_BYTES_MAX - empty);
    assert_eq!(
        largest.encode().map(|text| text.len()),
        Some(ANNOUNCEMENT_BYTES_MAX)
    );
    store.announce(largest.clone()).await.expect("announcing");
    assert_eq!(next(&mut heard).await, largest);
}

pub(super) async fn changes_wake_who_waits_for_them(store: &dyn Store) {
    let scene = Scene::set(store).await;
    // A hint may be lost while nobody listens yet, so each change is made until it is heard.
    let mut hints = store.wakeups(Topic::Agents);
    loop {
        let agent = mint(store, scene.project, &fresh_id().to_string()).await;
        let revoke = RevokeAgent {
            id: agent,
            project_id: scene.project,
            at: at_s(1),
            audit: audit(ChainId::Project(scene.project), "agent.revoke"),
        };
        let _ = store.revoke_agent(revoke).await.expect("revoking");
        if tokio::time::timeout(TRY, hints.next()).await.is_ok() {
            break;
        }
    }
    let person = new_user("ann@example.org");
    let user_id = person.id;
    let _ = store.create_user(person).await.expect("creating");
    let mut hints = store.wakeups(Topic::People);
    loop {
        let set = SetPassword {
            user_id,
            password_hash: PasswordHash::new("$argon2id$y".to_owned()),
            expected: None,
            end_sessions: true,
            at: at_s(1),
            audit: None,
        };
        assert!(store.set_password(set).await.expect("setting"));
        if tokio::time::timeout(TRY, hints.next()).await.is_ok() {
            break;
        }
    }
}
