//! Commands: written once, handed out once.

use futures_util::StreamExt;
use futures_util::future::join_all;
use z4j_core::audit::ChainId;
use z4j_core::command::CommandState;
use z4j_core::id::{CommandId, LinkId};
use z4j_core::store::{
    CommandFilter, CommandRow, CreateUserOutcome, IdempotencyKey, IssueCommand, IssueOutcome,
    Store, Topic,
};

use super::scene::{Scene, all_pages, at_ms, at_s, audit, new_user, seconds};

pub(super) async fn issue(scene: &Scene<'_>, command: IssueCommand) -> CommandRow {
    match scene.store.issue_command(command).await.expect("issuing") {
        IssueOutcome::Issued(row) => row,
        other => panic!("not issued: {other:?}"),
    }
}

/// Issues a command and hands it to a link.
pub(super) async fn dispatched(scene: &Scene<'_>, action: &str) -> (CommandId, LinkId) {
    let link = scene.open_link().await;
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

pub(super) async fn stored(scene: &Scene<'_>, id: CommandId) -> CommandRow {
    scene
        .store
        .command(scene.project, id)
        .await
        .expect("reading")
        .expect("the command")
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
        let mut claim = scene.claim(scene.open_link().await, at_s(2));
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
    let mut claim = scene.claim(scene.open_link().await, at_s(4));
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

pub(super) async fn claim_for_some_commands_leaves_the_others(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let wanted = issue(&scene, scene.command(at_s(2))).await.id;
    let other = issue(&scene, scene.command(at_s(1))).await.id;
    let mut claim = scene.claim(scene.open_link().await, at_s(3));
    claim.only = Some(vec![wanted]);
    let first = store.claim_commands(claim.clone()).await.expect("claiming");
    assert_eq!(first.iter().map(|row| row.id).collect::<Vec<_>>(), [wanted]);
    claim.only = None;
    let rest = store.claim_commands(claim).await.expect("claiming");
    assert_eq!(rest.iter().map(|row| row.id).collect::<Vec<_>>(), [other]);
}

pub(super) async fn claim_leaves_other_engines(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let mut for_rq = scene.command(at_s(1));
    for_rq.payload = r#"{"engine":"rq","task_id":"t"}"#.to_owned();
    let for_rq = issue(&scene, for_rq).await.id;
    let mut for_any = scene.command(at_s(2));
    for_any.payload = "{}".to_owned();
    let for_any = issue(&scene, for_any).await.id;
    let mut claim = scene.claim(scene.open_link().await, at_s(3));
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
        .claim_commands(scene.claim(scene.open_link().await, at_s(61)))
        .await
        .expect("claiming");
    assert!(at_deadline.is_empty());
    let before = store
        .claim_commands(scene.claim(scene.open_link().await, at_ms(60_999)))
        .await
        .expect("claiming");
    assert_eq!(before.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
}

pub(super) async fn claim_leaves_other_agents(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = issue(&scene, scene.command(at_s(1))).await;
    let mut claim = scene.claim(scene.open_link().await, at_s(2));
    claim.agent_id = scene.second_agent;
    assert!(
        store
            .claim_commands(claim)
            .await
            .expect("claiming")
            .is_empty()
    );
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
