//! Commands that are claimed in the transaction that writes them.

use z4j_core::command::CommandState;
use z4j_core::id::LinkId;
use z4j_core::store::{CloseLink, CommandRow, IssueOutcome, Store};

use super::commands::{issue, stored};
use super::scene::{Scene, at_s};

async fn issued_for(scene: &Scene<'_>, link: LinkId) -> CommandRow {
    let mut command = scene.command(at_s(1));
    command.claim_for = Some(link);
    issue(scene, command).await
}

/// Ids that a new link of the agent is handed.
async fn handed_to_another_link(scene: &Scene<'_>) -> Vec<CommandRow> {
    let claim = scene.claim(scene.open_link().await, at_s(2));
    scene.store.claim_commands(claim).await.expect("claiming")
}

pub(super) async fn command_for_an_open_link_is_dispatched_at_once(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let mut command = scene.command(at_s(1));
    command.claim_for = Some(scene.open_link().await);
    let row = issue(&scene, command.clone()).await;
    assert_eq!(
        (row.state, row.dispatched_at),
        (CommandState::Dispatched, Some(at_s(1)))
    );
    assert_eq!(stored(&scene, row.id).await, row);
    let again = store.issue_command(command).await.expect("issuing");
    assert!(matches!(again, IssueOutcome::Repeated(first) if first == row));
    assert!(handed_to_another_link(&scene).await.is_empty());
}

pub(super) async fn command_for_another_link_stays_pending(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let closed = scene.open_link().await;
    let close = CloseLink {
        link_id: closed,
        at: at_s(0),
    };
    let _ = store.close_links(vec![close]).await.expect("closing");
    let mut open = scene.link(at_s(0));
    open.agent_id = scene.second_agent;
    let foreign = open.link_id;
    store.open_link(open).await.expect("opening a link");
    let mut waiting = Vec::new();
    for link in [closed, foreign] {
        let row = issued_for(&scene, link).await;
        assert_eq!(
            (row.state, row.dispatched_at),
            (CommandState::Pending, None)
        );
        assert_eq!(stored(&scene, row.id).await, row);
        waiting.push(row.id);
    }
    let handed = handed_to_another_link(&scene).await;
    let mut handed: Vec<_> = handed.into_iter().map(|row| row.id).collect();
    handed.sort_unstable();
    waiting.sort_unstable();
    assert_eq!(handed, waiting);
}

pub(super) async fn command_claimed_at_once_is_lost_with_its_link(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let link = scene.open_link().await;
    let row = issued_for(&scene, link).await;
    let lost = store.lose_link(link, at_s(2)).await.expect("losing");
    assert_eq!(lost.iter().map(|row| row.id).collect::<Vec<_>>(), [row.id]);
    assert_ne!(stored(&scene, row.id).await.state, CommandState::Dispatched);
}
