//! Agents: their rights, their links, what they say of themselves.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use z4j_core::audit::ChainId;
use z4j_core::id::{AgentId, ReplicaId};
use z4j_core::limits::LOSS_RUNTIMES_MAX;
use z4j_core::store::{
    AgentReport, AgentRow, CloseLink, MintOutcome, RefusalRow, ReplaceToken, ReportBatch,
    RevokeAgent, Store, Topic,
};
use z4j_core::time::Timestamp;

use super::scene::{Scene, at_s, audit, fresh_id, mint, new_agent, new_link, seconds, token};

fn revoke(scene: &Scene<'_>, agent: AgentId, at: Timestamp) -> RevokeAgent {
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

async fn shown(scene: &Scene<'_>, agent: AgentId) -> AgentRow {
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

pub(super) async fn link_shows_until_it_closes(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let open = scene.link(at_s(5));
    store.open_link(open.clone()).await.expect("opening");
    let agent = shown(&scene, scene.agent).await;
    assert_eq!(agent.profile, open.profile);
    assert_eq!(
        (agent.last_connected_at, agent.last_seen_at),
        (Some(at_s(5)), Some(at_s(5)))
    );
    let [link] = agent.links.as_slice() else {
        panic!("one link")
    };
    assert_eq!(
        (link.id, link.pid, link.worker_id.as_deref()),
        (open.link_id, Some(4242), Some("slot-1"))
    );
    let listed = store.agents(scene.project).await.expect("agents");
    assert_eq!(
        listed.iter().map(|agent| agent.links.len()).sum::<usize>(),
        1
    );
    for at in [at_s(6), at_s(7)] {
        let close = CloseLink {
            link_id: open.link_id,
            at,
        };
        assert!(
            store
                .close_links(vec![close])
                .await
                .expect("closing")
                .is_empty()
        );
    }
    let agent = shown(&scene, scene.agent).await;
    assert!(agent.links.is_empty());
    assert_eq!(agent.profile, open.profile, "what it said is still known");
}

pub(super) async fn repeated_open_is_one_link(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let open = scene.link(at_s(5));
    for _ in 0..2 {
        store.open_link(open.clone()).await.expect("opening");
    }
    assert_eq!(shown(&scene, scene.agent).await.links.len(), 1);
}

pub(super) async fn links_of_a_replica_close_with_it(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let (first, second) = (ReplicaId::from_u128(1), ReplicaId::from_u128(2));
    for replica in [first, first, second] {
        let mut open = scene.link(at_s(5));
        open.replica = replica;
        store.open_link(open).await.expect("opening");
    }
    assert_eq!(
        store
            .close_replica_links(Some(first), at_s(6))
            .await
            .expect("closing"),
        2
    );
    assert_eq!(shown(&scene, scene.agent).await.links.len(), 1);
    assert_eq!(
        store
            .close_replica_links(None, at_s(7))
            .await
            .expect("closing"),
        1
    );
    assert_eq!(
        store
            .close_replica_links(None, at_s(8))
            .await
            .expect("closing"),
        0
    );
}

fn report(agent: AgentId, link_id: z4j_core::id::LinkId, at: Timestamp) -> AgentReport {
    AgentReport {
        link_id,
        agent_id: agent,
        at,
        buffer_entries: None,
        health: None,
        loss: None,
    }
}

async fn send(store: &dyn Store, report: AgentReport) {
    let batch = ReportBatch {
        reports: vec![report],
        ..ReportBatch::default()
    };
    store.record_reports(batch).await.expect("reporting");
}

pub(super) async fn heartbeat_times_never_move_back(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let open = scene.link(at_s(5));
    store.open_link(open.clone()).await.expect("opening");
    let health = |text: &str| Some(BTreeMap::from([("broker".to_owned(), text.to_owned())]));
    let late = AgentReport {
        buffer_entries: Some(3),
        health: health("ok"),
        ..report(scene.agent, open.link_id, at_s(20))
    };
    send(store, late).await;
    let early = AgentReport {
        buffer_entries: Some(9),
        health: health("bad"),
        ..report(scene.agent, open.link_id, at_s(10))
    };
    send(store, early).await;
    let agent = shown(&scene, scene.agent).await;
    assert_eq!(
        (agent.last_seen_at, agent.last_connected_at),
        (Some(at_s(20)), Some(at_s(5)))
    );
    assert_eq!(
        agent.links.first().map(|link| link.last_seen_at),
        Some(at_s(20))
    );
    assert_eq!(
        (agent.buffer_entries, Some(agent.health)),
        (Some(3), health("ok"))
    );
    send(store, report(scene.agent, open.link_id, at_s(30))).await;
    let agent = shown(&scene, scene.agent).await;
    assert_eq!(
        (agent.last_seen_at, agent.buffer_entries),
        (Some(at_s(30)), Some(3)),
        "silence about it keeps it"
    );
}

pub(super) async fn declared_loss_adds_up(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let link = new_link();
    let lost = |runtime: &str, count: u64, at| AgentReport {
        loss: Some((
            "buffer".to_owned(),
            runtime.to_owned(),
            format!(r#"{{"event_records":{count},"adapter_events":{{"celery":{count}}}}}"#),
        )),
        ..report(scene.agent, link, at_s(at))
    };
    assert_eq!(shown(&scene, scene.agent).await.telemetry_loss, None);
    for declared in [
        lost("r1", 2, 1),
        lost("r1", 5, 2),
        lost("r1", 4, 3),
        lost("r2", 10, 4),
    ] {
        send(store, declared).await;
    }
    let total = shown(&scene, scene.agent)
        .await
        .telemetry_loss
        .expect("a loss");
    let total: serde_json::Value = serde_json::from_str(&total).expect("JSON");
    assert_eq!(
        total,
        serde_json::json!({"event_records": 15, "adapter_events": {"celery": 15}})
    );
}

pub(super) async fn refusals_are_counted_and_the_latest_shown(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let refusal = |code: &str, at: i64| RefusalRow {
        at: at_s(at),
        code: code.to_owned(),
        message: "the clock is off".to_owned(),
        skew_ms: Some(-90_000),
    };
    for (row, count) in [
        (refusal("clock_skew", 10), 2),
        (refusal("bad_signature", 5), 3),
    ] {
        let batch = ReportBatch {
            refusals: vec![(scene.agent, row, count)],
            ..ReportBatch::default()
        };
        store.record_reports(batch).await.expect("reporting");
    }
    let agent = shown(&scene, scene.agent).await;
    assert_eq!(
        (agent.last_refusal, agent.refused_total),
        (Some(refusal("clock_skew", 10)), 5)
    );
}

pub(super) async fn report_of_a_gone_agent_is_passed_over(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = store
        .revoke_agent(revoke(&scene, scene.second_agent, at_s(1)))
        .await
        .expect("revoking");
    let unknown = AgentId::from_u128(fresh_id());
    let agents = [unknown, scene.second_agent, scene.agent];
    let reports = agents
        .map(|agent| report(agent, new_link(), at_s(9)))
        .to_vec();
    store
        .record_reports(ReportBatch {
            reports,
            ..ReportBatch::default()
        })
        .await
        .expect("reporting");
    assert_eq!(shown(&scene, scene.second_agent).await.last_seen_at, None);
    assert_eq!(shown(&scene, scene.agent).await.last_seen_at, Some(at_s(9)));
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

pub(super) async fn loss_of_many_runtimes_stays_counted(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let lost = |runtime: u32| AgentReport {
        loss: Some((
            "buffer".to_owned(),
            format!("r{runtime}"),
            r#"{"event_records":1}"#.to_owned(),
        )),
        ..report(scene.agent, new_link(), at_s(i64::from(runtime)))
    };
    let runtimes = LOSS_RUNTIMES_MAX + 4;
    let reports: Vec<_> = (0..runtimes).map(lost).collect();
    store
        .record_reports(ReportBatch {
            reports,
            ..ReportBatch::default()
        })
        .await
        .expect("reporting");
    send(store, lost(runtimes - 1)).await;
    let total = shown(&scene, scene.agent)
        .await
        .telemetry_loss
        .expect("a loss");
    let total: serde_json::Value = serde_json::from_str(&total).expect("JSON");
    assert_eq!(
        total,
        serde_json::json!({ "event_records": runtimes }),
        "told apart or not, nothing is forgotten"
    );
}
