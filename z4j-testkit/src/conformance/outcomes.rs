//! Commands: how they end, and that they end once.

use z4j_core::audit::ChainId;
use z4j_core::command::{CommandInput, CommandState};
use z4j_core::id::CommandId;
use z4j_core::store::{AdvanceOutcome, CommandRow, Store};
use z4j_core::time::Timestamp;

use super::commands::{dispatched, issue, stored};
use super::scene::{Scene, advance, at_ms, at_s, audit, fresh_id};

async fn advanced(
    scene: &Scene<'_>,
    id: CommandId,
    input: CommandInput,
    at: Timestamp,
) -> CommandRow {
    match scene
        .store
        .advance_command(advance(id, scene.agent, input, at))
        .await
        .expect("advancing")
    {
        AdvanceOutcome::Advanced(row) => row,
        other => panic!("not advanced: {other:?}"),
    }
}

async fn absorbed(
    scene: &Scene<'_>,
    id: CommandId,
    input: CommandInput,
    at: Timestamp,
) -> CommandRow {
    match scene
        .store
        .advance_command(advance(id, scene.agent, input, at))
        .await
        .expect("advancing")
    {
        AdvanceOutcome::Absorbed(row) => row,
        other => panic!("not absorbed: {other:?}"),
    }
}

pub(super) async fn times_follow_the_states(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let (id, _) = dispatched(&scene, "retry_task").await;
    let row = advanced(&scene, id, CommandInput::AckReceived, at_s(3)).await;
    assert_eq!(
        (row.state, row.acknowledged_at),
        (CommandState::Acknowledged, Some(at_s(3)))
    );
    let mut done = advance(id, scene.agent, CommandInput::Succeeded, at_s(4));
    done.result = Some(r#"{"new_task_id":"t2"}"#.to_owned());
    done.audit = Some(audit(ChainId::Project(scene.project), "command.completed"));
    let AdvanceOutcome::Advanced(row) = store.advance_command(done).await.expect("advancing")
    else {
        panic!("a step")
    };
    assert_eq!(
        (row.state, row.dispatched_at, row.completed_at),
        (CommandState::Completed, Some(at_s(2)), Some(at_s(4)))
    );
    assert_eq!(row.result.as_deref(), Some(r#"{"new_task_id":"t2"}"#));
    assert_eq!(stored(&scene, id).await, row);
    let page = z4j_core::store::PageRequest::first(100);
    let chain = ChainId::Project(scene.project);
    let entries = store
        .audit_page(chain, Some("command.completed"), page)
        .await
        .expect("audit");
    assert_eq!(entries.items.len(), 1);
}

pub(super) async fn another_agent_changes_nothing(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let (id, _) = dispatched(&scene, "retry_task").await;
    let before = stored(&scene, id).await;
    for agent in [scene.second_agent, scene.other_agent] {
        let outcome = store
            .advance_command(advance(id, agent, CommandInput::Succeeded, at_s(3)))
            .await
            .expect("an answer");
        assert!(matches!(outcome, AdvanceOutcome::NotFound));
    }
    let unknown = advance(
        CommandId::from_u128(fresh_id()),
        scene.agent,
        CommandInput::Succeeded,
        at_s(3),
    );
    assert!(matches!(
        store.advance_command(unknown).await.expect("an answer"),
        AdvanceOutcome::NotFound
    ));
    assert_eq!(stored(&scene, id).await, before);
    let mut by_brain = advance(id, scene.agent, CommandInput::Succeeded, at_s(4));
    by_brain.agent_id = None;
    assert!(matches!(
        store.advance_command(by_brain).await.expect("an answer"),
        AdvanceOutcome::Advanced(_)
    ));
}

pub(super) async fn outcome_is_final(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let (id, _) = dispatched(&scene, "retry_task").await;
    let first = advanced(
        &scene,
        id,
        CommandInput::Failed {
            indeterminate: false,
        },
        at_s(3),
    )
    .await;
    for input in [
        CommandInput::Succeeded,
        CommandInput::Failed {
            indeterminate: false,
        },
        CommandInput::AckReceived,
    ] {
        let mut late = advance(id, scene.agent, input, at_s(9));
        late.result = Some("{}".to_owned());
        late.error = Some("too late".to_owned());
        let outcome = store.advance_command(late).await.expect("an answer");
        let AdvanceOutcome::Absorbed(row) = outcome else {
            panic!("absorbed: {outcome:?}")
        };
        assert_eq!(row, first);
    }
    assert_eq!(stored(&scene, id).await, first);
}

pub(super) async fn late_answer_settles_unknown(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let (id, link) = dispatched(&scene, "retry_task").await;
    let _ = store
        .lose_link(link, at_s(3))
        .await
        .expect("losing the link");
    assert_eq!(stored(&scene, id).await.state, CommandState::Unknown);
    let row = advanced(&scene, id, CommandInput::Succeeded, at_s(30)).await;
    assert_eq!(
        (row.state, row.completed_at),
        (CommandState::Completed, Some(at_s(30)))
    );
    let _ = absorbed(&scene, id, CommandInput::Succeeded, at_s(31)).await;
}

pub(super) async fn lost_link_gives_back_what_is_safe(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let link = scene.open_link().await;
    let mut safe = scene.command(at_s(1));
    safe.action = "cancel_task".to_owned();
    let safe = issue(&scene, safe).await.id;
    let unsafe_one = issue(&scene, scene.command(at_s(1))).await.id;
    let claimed = store
        .claim_commands(scene.claim(link, at_s(2)))
        .await
        .expect("claiming");
    assert_eq!(claimed.len(), 2);
    let changed = store
        .lose_link(link, at_s(3))
        .await
        .expect("losing the link");
    assert_eq!(changed.len(), 2);
    assert_eq!(stored(&scene, safe).await.state, CommandState::Pending);
    let lost = stored(&scene, unsafe_one).await;
    assert_eq!(
        (lost.state, lost.completed_at),
        (CommandState::Unknown, Some(at_s(3)))
    );
    assert!(
        store
            .lose_link(link, at_s(4))
            .await
            .expect("losing it again")
            .is_empty()
    );
    let again = store
        .claim_commands(scene.claim(scene.open_link().await, at_s(5)))
        .await
        .expect("claiming");
    assert_eq!(again.iter().map(|row| row.id).collect::<Vec<_>>(), [safe]);
}

pub(super) async fn earlier_try_speaks_for_itself_only(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let (id, earlier) = dispatched(&scene, "cancel_task").await;
    let _ = store.lose_link(earlier, at_s(3)).await.expect("losing");
    let later = scene.open_link().await;
    let claim = scene.claim(later, at_s(4));
    assert_eq!(
        store.claim_commands(claim).await.expect("claiming").len(),
        1
    );
    let hear = async |link, input| {
        let mut heard = advance(id, scene.agent, input, at_s(5));
        heard.heard_on = Some(link);
        store.advance_command(heard).await.expect("an answer")
    };
    let failed = CommandInput::Failed {
        indeterminate: false,
    };
    let before = stored(&scene, id).await;
    for input in [CommandInput::AckReceived, failed] {
        let outcome = hear(earlier, input).await;
        assert!(
            matches!(&outcome, AdvanceOutcome::Absorbed(row) if *row == before),
            "{input:?}: {outcome:?}"
        );
    }
    assert_eq!(stored(&scene, id).await, before);
    let acked = hear(later, CommandInput::AckReceived).await;
    assert!(matches!(acked, AdvanceOutcome::Advanced(_)), "{acked:?}");
    let done = hear(earlier, CommandInput::Succeeded).await;
    assert!(matches!(done, AdvanceOutcome::Advanced(_)), "{done:?}");
    assert_eq!(stored(&scene, id).await.state, CommandState::Completed);
}

pub(super) async fn lost_link_touches_its_own_commands_only(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let (first, _) = dispatched(&scene, "cancel_task").await;
    let (second, link) = dispatched(&scene, "cancel_task").await;
    let (done, same_link) = (issue(&scene, scene.command(at_s(1))).await.id, link);
    let _ = store
        .claim_commands(scene.claim(same_link, at_s(2)))
        .await
        .expect("claiming");
    let _ = advanced(&scene, done, CommandInput::Succeeded, at_s(3)).await;
    let changed = store
        .lose_link(link, at_s(4))
        .await
        .expect("losing the link");
    assert_eq!(
        changed.iter().map(|row| row.id).collect::<Vec<_>>(),
        [second]
    );
    assert_eq!(stored(&scene, first).await.state, CommandState::Dispatched);
    assert_eq!(stored(&scene, done).await.state, CommandState::Completed);
}

pub(super) async fn deadline_tells_sent_from_unsent(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let (sent, _) = dispatched(&scene, "retry_task").await;
    let (given_back, link) = dispatched(&scene, "cancel_task").await;
    let _ = store
        .lose_link(link, at_s(3))
        .await
        .expect("losing the link");
    let unsent = issue(&scene, scene.command(at_s(1))).await.id;
    let (done, _) = dispatched(&scene, "retry_task").await;
    let _ = advanced(&scene, done, CommandInput::Succeeded, at_s(4)).await;
    // The last claim took the waiting commands too; `unsent` is a fresh one that nobody claims.
    let fresh = issue(&scene, scene.command(at_s(1))).await.id;
    assert!(
        store
            .expire_commands(at_ms(60_999), 100)
            .await
            .expect("expiring")
            .is_empty()
    );
    let expired = store
        .expire_commands(at_s(61), 100)
        .await
        .expect("expiring");
    assert_eq!(expired.len(), 4, "{expired:?}");
    let fresh = stored(&scene, fresh).await;
    assert_eq!(
        (fresh.state, fresh.completed_at),
        (CommandState::TimedOut, Some(at_s(61)))
    );
    for id in [sent, given_back, unsent] {
        assert_eq!(
            stored(&scene, id).await.state,
            CommandState::Unknown,
            "it may have happened"
        );
    }
    assert_eq!(stored(&scene, done).await.state, CommandState::Completed);
    assert!(
        store
            .expire_commands(at_s(99), 100)
            .await
            .expect("expiring again")
            .is_empty()
    );
}

pub(super) async fn expiry_keeps_to_its_limit(store: &dyn Store) {
    let scene = Scene::set(store).await;
    for _ in 0..5 {
        let _ = issue(&scene, scene.command(at_s(1))).await;
    }
    let mut left = Vec::new();
    for _ in 0..3 {
        left.push(
            store
                .expire_commands(at_s(100), 2)
                .await
                .expect("expiring")
                .len(),
        );
    }
    assert_eq!(left, [2, 2, 1]);
}
