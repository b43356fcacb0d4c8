//! Audit chains: one line each, together with their effects.

use futures_util::future::join_all;
use z4j_core::audit::{AuditEntry, AuditKey, ChainId, verify};
use z4j_core::command::CommandInput;
use z4j_core::id::UserId;
use z4j_core::store::{
    AdvanceOutcome, CreateProjectOutcome, CreateUserOutcome, IdempotencyKey, IssueCommand,
    IssueOutcome, MintOutcome, PageRequest, PasswordHash, RevokeAgent, SetPassword, Store,
};

use super::scene::{
    Scene, advance, all_pages, at_s, audit, audit_key, create_project, fresh_id, new_agent,
    new_project, new_user,
};

async fn chain_of(store: &dyn Store, chain: ChainId) -> Vec<AuditEntry> {
    store.audit_range(chain, 0, 1_000).await.expect("a chain")
}

fn keys() -> [AuditKey; 1] {
    [(*audit_key()).clone()]
}

pub(super) async fn concurrent_appends_make_one_line(store: &dyn Store) {
    let chain = ChainId::Instance;
    let appends = (0..20).map(|_| {
        store.append_audit(vec![
            audit(chain, "auth.refused"),
            audit(chain, "auth.refused"),
        ])
    });
    for outcome in join_all(appends).await {
        outcome.expect("appending");
    }
    let entries = chain_of(store, chain).await;
    assert_eq!(entries.len(), 40);
    verify(&keys(), chain, None, entries).expect("an unbroken chain");
}

pub(super) async fn repeated_append_is_there_once(store: &dyn Store) {
    let entry = audit(ChainId::Instance, "auth.refused");
    for _ in 0..2 {
        store
            .append_audit(vec![entry.clone(), entry.clone()])
            .await
            .expect("appending");
    }
    let entries = chain_of(store, ChainId::Instance).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(
        entries.first().map(|first| (first.id, first.draft.clone())),
        Some((entry.id, entry.draft))
    );
}

pub(super) async fn entry_commits_with_its_effect(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let chain = ChainId::Project(scene.project);
    let before = chain_of(store, chain).await.len();
    let minted = store
        .mint_agent(new_agent(scene.project, "api"))
        .await
        .expect("an answer");
    assert!(matches!(minted, MintOutcome::Minted(_)));
    assert_eq!(chain_of(store, chain).await.len(), before + 1);
    let refused = store
        .mint_agent(new_agent(scene.project, "api"))
        .await
        .expect("an answer");
    assert!(matches!(refused, MintOutcome::NameTaken));
    assert_eq!(
        chain_of(store, chain).await.len(),
        before + 1,
        "no effect, no entry"
    );
}

pub(super) async fn chains_are_apart(store: &dyn Store) {
    let project = create_project(store, "shop").await;
    let chains = [ChainId::Instance, ChainId::Project(project)];
    let before = chain_of(store, ChainId::Instance).await.len();
    for chain in chains {
        store
            .append_audit(vec![audit(chain, "a.b")])
            .await
            .expect("appending");
    }
    assert_eq!(chain_of(store, chains[0]).await.len(), before + 1);
    let of_project = chain_of(store, chains[1]).await;
    assert_eq!(
        of_project.iter().map(|entry| entry.seq).collect::<Vec<_>>(),
        [1]
    );
    let heads = store.audit_heads().await.expect("heads");
    assert!(heads.contains(&(chains[1], of_project.first().expect("an entry").head())));
    assert_eq!(heads.len(), 2);
}

pub(super) async fn chain_pages_are_complete_latest_first(store: &dyn Store) {
    let chain = ChainId::Instance;
    let entries = (0..9).map(|_| audit(chain, "a.b")).collect();
    store.append_audit(entries).await.expect("appending");
    for limit in [1, 4, 9, 10] {
        let found = all_pages(limit, |page| store.audit_page(chain, None, page)).await;
        let numbers: Vec<_> = found.iter().map(|entry| entry.seq).collect();
        assert_eq!(numbers, [9, 8, 7, 6, 5, 4, 3, 2, 1], "pages of {limit}");
    }
    let range = store.audit_range(chain, 4, 3).await.expect("a range");
    assert_eq!(
        range.iter().map(|entry| entry.seq).collect::<Vec<_>>(),
        [5, 6, 7]
    );
}

pub(super) async fn page_keeps_to_a_prefix_of_actions(store: &dyn Store) {
    let chain = ChainId::Instance;
    let actions = [
        "agent.mint",
        "agent.revoke",
        "agents",
        "user%",
        "AGENT.mint",
    ];
    store
        .append_audit(actions.iter().map(|action| audit(chain, action)).collect())
        .await
        .expect("appending");
    let find = |prefix: &'static str| async move {
        let page = store
            .audit_page(chain, Some(prefix), PageRequest::first(10))
            .await
            .expect("a page");
        page.items
            .into_iter()
            .map(|entry| entry.draft.action)
            .collect::<Vec<_>>()
    };
    assert_eq!(find("agent.").await, ["agent.revoke", "agent.mint"]);
    assert_eq!(find("user%").await, ["user%"]);
    assert!(find("%").await.is_empty());
    let paged = all_pages(1, |page| store.audit_page(chain, Some("agent"), page)).await;
    assert_eq!(paged.len(), 3);
}

pub(super) async fn chain_read_back_verifies(store: &dyn Store) {
    let scene = Scene::set(store).await;
    for (chain, head) in store.audit_heads().await.expect("heads") {
        let report =
            verify(&keys(), chain, None, chain_of(store, chain).await).expect("an unbroken chain");
        assert_eq!(report.head, Some(head));
    }
    assert!(
        !chain_of(store, ChainId::Project(scene.project))
            .await
            .is_empty()
    );
}

async fn lengths(scene: &Scene<'_>) -> (usize, usize) {
    let project = ChainId::Project(scene.project);
    (
        chain_of(scene.store, ChainId::Instance).await.len(),
        chain_of(scene.store, project).await.len(),
    )
}

fn with_key(command: IssueCommand, digest: u8) -> IssueCommand {
    let key = IdempotencyKey {
        key: "k".to_owned(),
        digest: [digest; 32],
    };
    IssueCommand {
        idempotency: Some(key),
        ..command
    }
}

pub(super) async fn command_without_effect_leaves_no_entry(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let issued = with_key(scene.command(at_s(1)), 1);
    let id = issued.id;
    let _ = store.issue_command(issued).await.expect("issuing");
    let before = lengths(&scene).await;

    let reused = with_key(scene.command(at_s(2)), 2);
    let outcome = store.issue_command(reused).await.expect("an answer");
    assert!(matches!(outcome, IssueOutcome::KeyReused));
    let repeated = with_key(scene.command(at_s(2)), 1);
    let outcome = store.issue_command(repeated).await.expect("an answer");
    assert!(matches!(outcome, IssueOutcome::Repeated(_)));
    let mut too_early = advance(id, scene.agent, CommandInput::AckReceived, at_s(3));
    let chain = ChainId::Project(scene.project);
    too_early.audit = Some(audit(chain, "command.acknowledged"));
    let outcome = store.advance_command(too_early).await.expect("an answer");
    assert!(matches!(outcome, AdvanceOutcome::Absorbed(_)));

    assert_eq!(lengths(&scene).await, before, "no effect, no entry");
}

pub(super) async fn refused_change_of_people_or_agents_leaves_no_entry(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let ann = new_user("ann@example.org");
    let _ = store.create_user(ann).await.expect("creating");
    let before = lengths(&scene).await;

    let again = new_user("ann@example.org");
    let taken = store.create_user(again).await.expect("an answer");
    assert!(matches!(taken, CreateUserOutcome::EmailTaken));
    let again = new_project("shop");
    let taken = store.create_project(again).await.expect("an answer");
    assert!(matches!(taken, CreateProjectOutcome::SlugTaken));
    let nobody = SetPassword {
        user_id: UserId::from_u128(fresh_id()),
        password_hash: PasswordHash::new("$argon2id$y".to_owned()),
        expected: None,
        end_sessions: true,
        at: at_s(3),
        audit: Some(audit(ChainId::Instance, "user.password")),
    };
    assert!(!store.set_password(nobody).await.expect("an answer"));
    let foreign = RevokeAgent {
        id: scene.other_agent,
        project_id: scene.project,
        at: at_s(3),
        audit: audit(ChainId::Project(scene.project), "agent.revoke"),
    };
    let answer = store.revoke_agent(foreign).await.expect("an answer");
    assert!(answer.is_none());

    assert_eq!(lengths(&scene).await, before, "no effect, no entry");
}

pub(super) async fn effect_that_is_sent_again_leaves_one_entry(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let chain = ChainId::Project(scene.project);
    let before = chain_of(store, chain).await.len();
    let agent = new_agent(scene.project, "api");
    let command = scene.command(at_s(1));
    let revoke = RevokeAgent {
        id: scene.second_agent,
        project_id: scene.project,
        at: at_s(2),
        audit: audit(chain, "agent.revoke"),
    };
    for _ in 0..3 {
        let _ = store.mint_agent(agent.clone()).await.expect("minting");
        let _ = store.issue_command(command.clone()).await.expect("issuing");
        let _ = store.revoke_agent(revoke.clone()).await.expect("revoking");
    }
    let entries = chain_of(store, chain).await;
    let actions: Vec<_> = entries
        .iter()
        .skip(before)
        .map(|entry| entry.draft.action.as_str())
        .collect();
    assert_eq!(actions, ["agent.mint", "task.retry", "agent.revoke"]);
    verify(&keys(), chain, None, entries).expect("an unbroken chain");
}
