//! Commands: written once, handed out once, ended honestly.

use futures_util::StreamExt;
use futures_util::future::join_all;
use z4j_core::audit::ChainId;
use z4j_core::command::{CommandInput, CommandState};
use z4j_core::id::{CommandId, LinkId};
use z4j_core::store::{
    AdvanceOutcome, CommandFilter, CommandRow, CreateUserOutcome, IdempotencyKey, IssueCommand,
    IssueOutcome, Store, Topic,
};
use z4j_core::time::Timestamp;

use super::scene::{
    Scene, advance, all_pages, at_ms, at_s, audit, fresh_id, new_link, new_user, seconds,
};

async fn issue(scene: &Scene<'_>, command: IssueCommand) -> CommandRow {
    match scene.store.issue_command(command).await.expect("issuing") {
        IssueOutcome::Issued(row) => row,
        other => panic!("not issued: {other:?}"),
    }
}

/// Issues a command and hands it to a link.
async fn dispatched(scene: &Scene<'_>, action: &str) -> (CommandId, LinkId) {
    let link = new_link();
    let mut command = scene.command(at_s(1));
    command.action = action.to_owned();
    let id = issue(scene, command).await.id;
    let claimed = scene
        .store
        .claim_commands(scene.claim(link, at_s(2)))
        .await
        .expect("claiming");
    assert!(
        claimed.iter().any(|row| row.id == id),
        "the command must be claimed"
    );
    (id, link)
}

async fn stored(scene: &Scene<'_>, id: CommandId) -> CommandRow {
    scene
        .store
        .command(scene.project, id)
        .await
        .expect("reading")
        .expect("the command")
}

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

fn with_key(mut command: IssueCommand, key: &str, digest: u8) -> IssueCommand {
    command.idempotency = Some(IdempotencyKey {
        key: key.to_owned(),
        digest: [digest; 32],
    });
    command
}

pub(super) async fn issued_command_is_pending(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let command = scene.command(at_s(1));
    let row = issue(&scene, command.clone()).await;
    assert_eq!(stored(&scene, command.id).await, row);
    assert_eq!(
        (row.state, row.issued_at, row.timeout_at),
        (CommandState::Pending, at_s(1), at_s(61))
    );
    assert_eq!(
        (row.payload, row.target_id, row.action),
        (command.payload, command.target_id, command.action)
    );
    assert_eq!(
        (row.dispatched_at, row.completed_at, row.result, row.error),
        (None, None, None, None)
    );
}

pub(super) async fn same_command_id_answers_the_first_row(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let command = scene.command(at_s(1));
    let first = issue(&scene, command.clone()).await;
    let mut again = command;
    again.audit = audit(ChainId::Project(scene.project), "task.retry");
    again.issued_at = at_s(9);
    let IssueOutcome::Repeated(row) = store.issue_command(again).await.expect("issuing") else {
        panic!("a repeat")
    };
    assert_eq!(row, first);
    let page = z4j_core::store::PageRequest::first(100);
    let entries = store
        .audit_page(ChainId::Project(scene.project), Some("task.retry"), page)
        .await
        .expect("audit");
    assert_eq!(entries.items.len(), 1, "one effect, one entry");
}

pub(super) async fn same_key_and_digest_answers_the_first_row(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let first = issue(&scene, with_key(scene.command(at_s(1)), "k", 1)).await;
    let again = store
        .issue_command(with_key(scene.command(at_s(2)), "k", 1))
        .await
        .expect("issuing");
    let IssueOutcome::Repeated(row) = again else {
        panic!("a repeat")
    };
    assert_eq!(row, first);
    let other = issue(&scene, with_key(scene.command(at_s(2)), "k2", 1)).await;
    assert_ne!(other.id, first.id);
}

pub(super) async fn same_key_with_another_digest_is_refused(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = issue(&scene, with_key(scene.command(at_s(1)), "k", 1)).await;
    let another = with_key(scene.command(at_s(2)), "k", 2);
    let id = another.id;
    assert!(matches!(
        store.issue_command(another).await.expect("issuing"),
        IssueOutcome::KeyReused
    ));
    assert!(
        store
            .command(scene.project, id)
            .await
            .expect("reading")
            .is_none()
    );
}

pub(super) async fn idempotency_key_belongs_to_its_project(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = issue(&scene, with_key(scene.command(at_s(1)), "k", 1)).await;
    let mut foreign = with_key(scene.command(at_s(1)), "k", 2);
    foreign.project_id = scene.other_project;
    foreign.agent_id = scene.other_agent;
    let _ = issue(&scene, foreign).await;
}

pub(super) async fn command_is_claimed_once_by_many_callers(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let mut expected = Vec::new();
    for _ in 0..10 {
        expected.push(issue(&scene, scene.command(at_s(1))).await.id);
    }
    let claims = (0..8).map(|_| async {
        let mut claim = scene.claim(new_link(), at_s(2));
        claim.limit = 3;
        store.claim_commands(claim).await.expect("claiming")
    });
    let mut claimed: Vec<_> = join_all(claims)
        .await
        .into_iter()
        .flatten()
        .map(|row| row.id)
        .collect();
    claimed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(claimed, expected);
}

pub(super) async fn claims_are_oldest_first_up_to_the_limit(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let late = issue(&scene, scene.command(at_s(3))).await.id;
    let early = issue(&scene, scene.command(at_s(1))).await.id;
    let middle = issue(&scene, scene.command(at_s(2))).await.id;
    let mut claim = scene.claim(new_link(), at_s(4));
    claim.limit = 2;
    let first = store.claim_commands(claim.clone()).await.expect("claiming");
    assert_eq!(
        first.iter().map(|row| row.id).collect::<Vec<_>>(),
        [early, middle]
    );
    let states: Vec<_> = first
        .iter()
        .map(|row| (row.state, row.dispatched_at))
        .collect();
    assert_eq!(states, [(CommandState::Dispatched, Some(at_s(4))); 2]);
    let rest = store.claim_commands(claim).await.expect("claiming");
    assert_eq!(rest.iter().map(|row| row.id).collect::<Vec<_>>(), [late]);
}

pub(super) async fn claim_leaves_other_engines(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let mut for_rq = scene.command(at_s(1));
    for_rq.payload = r#"{"engine":"rq","task_id":"t"}"#.to_owned();
    let for_rq = issue(&scene, for_rq).await.id;
    let mut for_any = scene.command(at_s(2));
    for_any.payload = "{}".to_owned();
    let for_any = issue(&scene, for_any).await.id;
    let mut claim = scene.claim(new_link(), at_s(3));
    claim.limit = 1;
    let first = store.claim_commands(claim.clone()).await.expect("claiming");
    assert_eq!(
        first.iter().map(|row| row.id).collect::<Vec<_>>(),
        [for_any]
    );
    claim.engines = vec!["rq".to_owned()];
    let second = store.claim_commands(claim).await.expect("claiming");
    assert_eq!(
        second.iter().map(|row| row.id).collect::<Vec<_>>(),
        [for_rq]
    );
}

pub(super) async fn claim_leaves_what_is_past_its_deadline(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let id = issue(&scene, scene.command(at_s(1))).await.id;
    let at_deadline = store
        .claim_commands(scene.claim(new_link(), at_s(61)))
        .await
        .expect("claiming");
    assert!(at_deadline.is_empty());
    let before = store
        .claim_commands(scene.claim(new_link(), at_ms(60_999)))
        .await
        .expect("claiming");
    assert_eq!(before.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
}

pub(super) async fn claim_leaves_other_agents(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = issue(&scene, scene.command(at_s(1))).await;
    let mut claim = scene.claim(new_link(), at_s(2));
    claim.agent_id = scene.second_agent;
    assert!(
        store
            .claim_commands(claim)
            .await
            .expect("claiming")
            .is_empty()
    );
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
    let link = new_link();
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
        .claim_commands(scene.claim(new_link(), at_s(5)))
        .await
        .expect("claiming");
    assert_eq!(again.iter().map(|row| row.id).collect::<Vec<_>>(), [safe]);
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

pub(super) async fn command_pages_are_complete_latest_first(store: &dyn Store) {
    let scene = Scene::set(store).await;
    for index in 0..11 {
        let _ = issue(&scene, scene.command(at_s(index / 3))).await;
    }
    let filter = CommandFilter::default();
    for limit in [1, 4, 11, 50] {
        let rows = all_pages(limit, |page| store.commands(scene.project, &filter, page)).await;
        assert_eq!(rows.len(), 11, "pages of {limit}");
        let is_ordered = rows
            .is_sorted_by(|left, right| (left.issued_at, left.id) > (right.issued_at, right.id));
        assert!(is_ordered, "pages of {limit}");
    }
}

pub(super) async fn command_filters_are_exact(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let (sent, _) = dispatched(&scene, "cancel_task").await;
    let mut other = scene.command(at_s(3));
    other.target_id = "celery:t2".to_owned();
    let other = issue(&scene, other).await.id;
    let find = |filter: CommandFilter| async move {
        let page = z4j_core::store::PageRequest::first(10);
        let found = store
            .commands(scene.project, &filter, page)
            .await
            .expect("commands");
        found
            .items
            .into_iter()
            .map(|row| row.id)
            .collect::<Vec<_>>()
    };
    let none = CommandFilter::default();
    assert_eq!(
        find(CommandFilter {
            state: Some(CommandState::Dispatched),
            ..none.clone()
        })
        .await,
        [sent]
    );
    assert_eq!(
        find(CommandFilter {
            action: Some("retry_task".to_owned()),
            ..none.clone()
        })
        .await,
        [other]
    );
    assert_eq!(
        find(CommandFilter {
            target_id: Some("celery:t2".to_owned()),
            ..none.clone()
        })
        .await,
        [other]
    );
    assert_eq!(find(none).await, [other, sent]);
}

pub(super) async fn name_of_the_person_is_kept(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let user = new_user("ann@example.org");
    let id = user.id;
    assert!(matches!(
        store.create_user(user).await.expect("a user"),
        CreateUserOutcome::Created(_)
    ));
    let mut command = scene.command(at_s(1));
    command.issued_by = Some(id);
    let row = issue(&scene, command).await;
    assert_eq!(
        (row.issued_by, row.issued_by_name.as_deref()),
        (Some(id), Some("ann"))
    );
}

pub(super) async fn new_command_wakes_dispatchers(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let mut hints = store.wakeups(Topic::Commands);
    let (_, link) = dispatched(&scene, "cancel_task").await;
    tokio::time::timeout(seconds(10), hints.next())
        .await
        .expect("a hint of the new command")
        .expect("an open stream");
    let _ = store
        .lose_link(link, at_s(3))
        .await
        .expect("losing the link");
    tokio::time::timeout(seconds(10), hints.next())
        .await
        .expect("a hint of the one given back")
        .expect("an open stream");
}
