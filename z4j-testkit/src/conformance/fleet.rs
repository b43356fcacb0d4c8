//! Links of agents, and what agents say of themselves.

use std::collections::BTreeMap;

use z4j_core::id::AgentId;
use z4j_core::limits::LOSS_RUNTIMES_MAX;
use z4j_core::store::{AgentReport, CloseLink, DeclaredLoss, RefusalRow, ReportBatch, Store};
use z4j_core::time::Timestamp;

use super::agents::{revoke, shown};
use super::scene::{Scene, at_s, fresh_id, new_link};

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

fn report(agent: AgentId, link_id: z4j_core::id::LinkId, at: Timestamp) -> AgentReport {
    AgentReport {
        link_id,
        agent_id: agent,
        at,
        buffer_entries: None,
        health: None,
        losses: Vec::new(),
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
        losses: vec![DeclaredLoss {
            buffer_id: "buffer".to_owned(),
            runtime_id: runtime.to_owned(),
            counters: format!(
                r#"{{"event_records":{count},"adapter_events":{{"celery":{count}}}}}"#
            ),
        }],
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

pub(super) async fn loss_of_many_runtimes_stays_counted(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let lost = |runtime: u32| AgentReport {
        losses: vec![DeclaredLoss {
            buffer_id: "buffer".to_owned(),
            runtime_id: format!("r{runtime}"),
            counters: r#"{"event_records":1}"#.to_owned(),
        }],
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
