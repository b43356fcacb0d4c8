//! Agents and their rights.

use futures_util::StreamExt;
use z4j_core::audit::ChainId;
use z4j_core::id::AgentId;
use z4j_core::store::{AgentRow, MintOutcome, ReplaceToken, RevokeAgent, Store, Topic};
use z4j_core::time::Timestamp;

use super::scene::{Scene, at_s, audit, fresh_id, mint, new_agent, seconds, token};

pub(super) fn revoke(scene: &Scene<'_>, agent: AgentId, at: Timestamp) -> RevokeAgent {
    RevokeAgent {
        id: agent,
        project_id: scene.project,
        at,
        audit: audit(ChainId::Project(scene.project), "agent.revoke"),
    }
}

fn replace(scene: &Scene<'_>, agent: AgentId, token_hash: [u8; 32]) -> ReplaceToken {
    ReplaceToken {
        id: agent,
        project_id: scene.project,
        token_hash,
        old_valid_until: at_s(100),
        at: at_s(1),
        audit: audit(ChainId::Project(scene.project), "agent.rotate"),
    }
}

async fn owner(store: &dyn Store, token_hash: [u8; 32], now: Timestamp) -> Option<AgentId> {
    store
        .agent_by_token(&token_hash, now)
        .await
        .expect("a look-up")
        .map(|agent| agent.agent_id)
}

pub(super) async fn shown(scene: &Scene<'_>, agent: AgentId) -> AgentRow {
    scene
        .store
        .agent(scene.project, agent)
        .await
        .expect("reading")
        .expect("the agent")
}

pub(super) async fn minted_agent_is_found_by_its_token(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let agent = new_agent(scene.project, "api");
    let MintOutcome::Minted(row) = store.mint_agent(agent.clone()).await.expect("minting") else {
        panic!("minted")
    };
    assert_eq!(
        (row.id, row.name.as_str(), row.created_at),
        (agent.id, "api", at_s(0))
    );
    assert_eq!(
        (row.revoked_at, row.last_seen_at, row.last_connected_at),
        (None, None, None)
    );
    let found = store
        .agent_by_token(&agent.token_hash, at_s(9))
        .await
        .expect("a look-up")
        .expect("the agent");
    assert_eq!(
        (found.agent_id, found.project_id, found.name.as_str()),
        (agent.id, scene.project, "api")
    );
    assert_eq!(owner(store, token(fresh_id()), at_s(9)).await, None);
}

pub(super) async fn same_agent_id_answers_the_first_row(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let agent = new_agent(scene.project, "api");
    let _ = store.mint_agent(agent.clone()).await.expect("minting");
    let MintOutcome::Minted(again) = store.mint_agent(agent.clone()).await.expect("minting") else {
        panic!("minted")
    };
    assert_eq!(again, shown(&scene, agent.id).await);
    assert_eq!(store.agents(scene.project).await.expect("agents").len(), 3);
}

pub(super) async fn agent_name_is_free_again_after_revocation(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let taken = store
        .mint_agent(new_agent(scene.project, "web"))
        .await
        .expect("an answer");
    assert!(matches!(taken, MintOutcome::NameTaken));
    let _ = store
        .revoke_agent(revoke(&scene, scene.agent, at_s(1)))
        .await
        .expect("revoking");
    let free = store
        .mint_agent(new_agent(scene.project, "web"))
        .await
        .expect("an answer");
    assert!(matches!(free, MintOutcome::Minted(_)));
}

pub(super) async fn old_token_works_until_its_end(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let agent = new_agent(scene.project, "api");
    let (id, old) = (agent.id, agent.token_hash);
    let _ = store.mint_agent(agent).await.expect("minting");
    let new = token(fresh_id());
    let row = store
        .replace_token(replace(&scene, id, new))
        .await
        .expect("replacing");
    assert_eq!(row.map(|row| row.id), Some(id));
    assert_eq!(owner(store, new, at_s(200)).await, Some(id));
    assert_eq!(owner(store, old, at_s(99)).await, Some(id));
    assert_eq!(owner(store, old, at_s(100)).await, None);
    let newest = token(fresh_id());
    let _ = store
        .replace_token(replace(&scene, id, newest))
        .await
        .expect("replacing");
    assert_eq!(
        owner(store, old, at_s(50)).await,
        None,
        "only the one before it stays"
    );
    assert_eq!(owner(store, new, at_s(50)).await, Some(id));
}

pub(super) async fn repeated_rotation_keeps_the_old_token(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let agent = new_agent(scene.project, "api");
    let (id, old) = (agent.id, agent.token_hash);
    let _ = store.mint_agent(agent).await.expect("minting");
    let rotation = replace(&scene, id, token(fresh_id()));
    for _ in 0..2 {
        assert!(
            store
                .replace_token(rotation.clone())
                .await
                .expect("replacing")
                .is_some()
        );
    }
    assert_eq!(owner(store, old, at_s(50)).await, Some(id));
}

pub(super) async fn revocation_is_final(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let agent = new_agent(scene.project, "api");
    let (id, old, new) = (agent.id, agent.token_hash, token(fresh_id()));
    let _ = store.mint_agent(agent).await.expect("minting");
    let _ = store
        .replace_token(replace(&scene, id, new))
        .await
        .expect("replacing");
    let first = store
        .revoke_agent(revoke(&scene, id, at_s(5)))
        .await
        .expect("revoking");
    let again = store
        .revoke_agent(revoke(&scene, id, at_s(9)))
        .await
        .expect("revoking");
    assert_eq!(first, again);
    assert_eq!(first.and_then(|row| row.revoked_at), Some(at_s(5)));
    assert_eq!(
        (
            owner(store, old, at_s(6)).await,
            owner(store, new, at_s(6)).await
        ),
        (None, None)
    );
    let foreign = RevokeAgent {
        project_id: scene.other_project,
        ..revoke(&scene, scene.agent, at_s(9))
    };
    assert!(
        store
            .revoke_agent(foreign)
            .await
            .expect("an answer")
            .is_none()
    );
    assert_eq!(shown(&scene, scene.agent).await.revoked_at, None);
}

pub(super) async fn revoked_agent_gets_no_token(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = store
        .revoke_agent(revoke(&scene, scene.agent, at_s(5)))
        .await
        .expect("revoking");
    let new = token(fresh_id());
    assert!(
        store
            .replace_token(replace(&scene, scene.agent, new))
            .await
            .expect("an answer")
            .is_none()
    );
    assert_eq!(owner(store, new, at_s(6)).await, None);
    let unknown = AgentId::from_u128(fresh_id());
    assert!(
        store
            .replace_token(replace(&scene, unknown, token(fresh_id())))
            .await
            .expect("an answer")
            .is_none()
    );
}

pub(super) async fn agents_are_by_name_revoked_last(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = mint(store, scene.project, "beta").await;
    let revoked = mint(store, scene.project, "alpha").await;
    let _ = store
        .revoke_agent(revoke(&scene, revoked, at_s(1)))
        .await
        .expect("revoking");
    let agents = store.agents(scene.project).await.expect("agents");
    let names: Vec<_> = agents.iter().map(|agent| agent.name.as_str()).collect();
    assert_eq!(names, ["beta", "observer", "web", "alpha"]);
}

pub(super) async fn revocation_wakes_link_holders(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let mut hints = store.wakeups(Topic::Agents);
    let _ = store
        .revoke_agent(revoke(&scene, scene.agent, at_s(1)))
        .await
        .expect("revoking");
    tokio::time::timeout(seconds(10), hints.next())
        .await
        .expect("a hint in time")
        .expect("an open stream");
}
