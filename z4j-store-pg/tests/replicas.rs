//! Several brains on one database.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what is wrong by panicking"
)]

mod team;

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use sqlx::PgConnection;
use team::{Team, at_s, audit, audit_key, cut_off, run, soon, until};
use z4j_core::audit::{ChainId, verify};
use z4j_core::command::CommandState;
use z4j_core::id::{CommandId, LinkId, ReplicaId};
use z4j_core::store::{
    Announcement, AuditStore, CommandStore, Coordination, Heard, IssueOutcome, News, Topic,
};
use z4j_store_pg::PgStore;
use z4j_testkit::postgres::{Bouncer, Database};

fn announcement(number: u64) -> Announcement {
    Announcement {
        from: ReplicaId::from_u128(1),
        number,
        news: vec![News::Everything],
    }
}

/// What a listener hears once it listens: the first word is that it may have missed something.
async fn listening(store: &PgStore) -> futures_util::stream::BoxStream<'static, Heard> {
    let mut heard = store.announcements();
    let mut number = 1_000_000;
    // The connection that listens is made beside the start; what is told before it stands is not heard.
    loop {
        number += 1;
        store.announce(announcement(number)).await.unwrap();
        let next = tokio::time::timeout(Duration::from_millis(500), heard.next()).await;
        if let Ok(Some(Heard::Announced(_))) = next {
            return heard;
        }
    }
}

#[tokio::test]
async fn what_one_brain_tells_the_others_hear() {
    let database = Database::fresh().await;
    let (teller, hearer) = (database.store().await, database.store().await);
    let mut heard = soon(listening(&hearer)).await;
    let mut woken = hearer.wakeups(Topic::Commands);
    teller.announce(announcement(1)).await.unwrap();
    let told = async {
        loop {
            match heard.next().await {
                Some(Heard::Announced(told)) if told.number == 1 => return told,
                Some(_) => {}
                None => panic!("it ends only with the store"),
            }
        }
    };
    assert_eq!(soon(told).await, announcement(1));
    let team = Team::on(&teller).await;
    let issued = teller.issue_command(team.command()).await.unwrap();
    assert!(matches!(issued, IssueOutcome::Issued(_)));
    assert_eq!(soon(woken.next()).await, Some(()));
}

#[tokio::test]
async fn an_effect_that_is_rolled_back_wakes_nobody() {
    let database = Database::fresh().await;
    let store = database.store().await;
    drop(soon(listening(&store)).await);
    let team = Team::on(&store).await;
    let mut woken = store.wakeups(Topic::Commands);
    let mut conn = database.connect().await;
    let mut transaction = sqlx::Connection::begin(&mut conn).await.unwrap();
    let joined = store
        .join(&mut transaction)
        .issue_command(&team.command())
        .await;
    assert!(matches!(joined.unwrap(), IssueOutcome::Issued(_)));
    transaction.rollback().await.unwrap();
    let kept = team.command();
    let id = kept.id;
    let _ = store.issue_command(kept).await.unwrap();
    assert_eq!(soon(woken.next()).await, Some(()));
    let page = store
        .commands(
            team.project,
            &Default::default(),
            z4j_core::store::PageRequest::first(10),
        )
        .await
        .unwrap();
    let ids: Vec<CommandId> = page.items.iter().map(|command| command.id).collect();
    assert_eq!(ids, [id], "only the one that was committed is there");
}

#[tokio::test]
async fn a_listener_that_was_cut_off_says_that_it_may_have_missed_something() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let mut heard = soon(listening(&store)).await;
    let mut admin = database.connect().await;
    cut_off(&mut admin, "LISTEN").await;
    let missed = async {
        loop {
            if heard.next().await == Some(Heard::MayHaveMissed) {
                return;
            }
        }
    };
    soon(missed).await;
    // What is told before it listens again is not heard.
    let hears_again = async {
        for number in 2.. {
            store.announce(announcement(number)).await.unwrap();
            let next = tokio::time::timeout(Duration::from_millis(500), heard.next()).await;
            if let Ok(Some(Heard::Announced(told))) = next {
                assert!(told.number >= 2, "{told:?}");
                return;
            }
        }
    };
    soon(hears_again).await;
}

#[tokio::test]
async fn without_a_way_around_pgbouncer_nobody_listens_and_a_warning_says_so() {
    let database = Database::fresh().await;
    let bouncer = Bouncer::start(&database, 2).await;
    let mut config = bouncer.config(&database);
    config.listen_url = None;
    let store = PgStore::open(config).await.unwrap();
    let health = store.probe(at_s(1)).await.unwrap();
    let is_said = |warning: &String| warning.contains("listen_url");
    assert!(health.warnings.iter().any(is_said), "{health:?}");
    // Somebody who listened on a session of PgBouncer's would be heard by whoever got that session next.
    for number in 0..20 {
        store.announce(announcement(number)).await.unwrap();
        store.probe(at_s(2)).await.unwrap();
    }
}

#[tokio::test]
async fn a_command_is_handed_out_once_by_many_brains() {
    let database = Database::fresh().await;
    let stores = [database.store().await, database.store().await];
    let team = Team::on(&stores[0]).await;
    let mut issued = BTreeSet::new();
    for _ in 0..40 {
        let command = team.command();
        issued.insert(command.id);
        let _ = stores[0].issue_command(command).await.unwrap();
    }
    let links = [
        team.link(&stores[0], 1).await,
        team.link(&stores[1], 2).await,
    ];
    let claims = (0..40).map(|number| {
        let (store, link) = (&stores[number % 2], links[number % 2]);
        store.claim_commands(team.claim(link, 3))
    });
    let claimed: Vec<CommandId> = join_all(claims)
        .await
        .into_iter()
        .flat_map(|claimed| claimed.unwrap())
        .map(|command| command.id)
        .collect();
    let different: BTreeSet<CommandId> = claimed.iter().copied().collect();
    assert_eq!(claimed.len(), different.len(), "one was handed out twice");
    let rest = stores[1]
        .claim_commands(team.claim(links[1], 100))
        .await
        .unwrap();
    let all: BTreeSet<CommandId> = different
        .into_iter()
        .chain(rest.into_iter().map(|command| command.id))
        .collect();
    assert_eq!(all, issued);
}

#[tokio::test]
async fn a_chain_of_many_writers_has_no_gap_and_no_fork() {
    let database = Database::fresh().await;
    let stores = [database.store().await, database.store().await];
    let team = Team::on(&stores[0]).await;
    let chain = ChainId::Project(team.project);
    let appends = (0..60).map(|number| {
        let entries = vec![audit(chain), audit(ChainId::Instance), audit(chain)];
        stores[number % 2].append_audit(entries)
    });
    for appended in join_all(appends).await {
        appended.unwrap();
    }
    let entries = stores[0].audit_range(chain, 0, 1_000).await.unwrap();
    assert_eq!(entries.len(), 121, "with the agent's own");
    let heads = stores[0].audit_heads().await.unwrap();
    let head = heads.into_iter().find(|(of, _)| *of == chain).unwrap().1;
    let mut seqs = entries.iter().map(|entry| entry.seq);
    assert!(seqs.by_ref().eq(1..=121));
    let report = verify(&[audit_key()], chain, None, entries).expect("a sound chain");
    assert_eq!(report.head, Some(head));
}

/// Issues a command for each link, and lets the others go on when all of them wait for a lock that `holder` has.
async fn issued_while_held(
    (holder, database): (&mut PgConnection, &Database),
    team: &Team,
    links: &[(PgStore, LinkId)],
) -> Vec<CommandState> {
    let issues = links.iter().map(|(store, link)| {
        let mut command = team.command();
        command.claim_for = Some(*link);
        let store = store.clone();
        tokio::spawn(async move { store.issue_command(command).await })
    });
    let issues: Vec<_> = issues.collect();
    let mut watcher = database.connect().await;
    until(async || {
        let sql = "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
                   WHERE NOT granted AND datname = current_database()";
        let waiting: i64 = sqlx::query_scalar(sql)
            .fetch_one(&mut watcher)
            .await
            .unwrap();
        usize::try_from(waiting).unwrap() == links.len()
    })
    .await;
    run(holder, "COMMIT").await;
    let mut states = Vec::new();
    for issue in issues {
        match soon(issue).await.unwrap().unwrap() {
            IssueOutcome::Issued(row) => states.push(row.state),
            other => panic!("{other:?}"),
        }
    }
    states
}

async fn sound_chain_of(store: &PgStore, team: &Team) -> usize {
    let chain = ChainId::Project(team.project);
    let entries = store.audit_range(chain, 0, 100).await.unwrap();
    let count = entries.len();
    verify(&[audit_key()], chain, None, entries).expect("a sound chain");
    count
}

#[tokio::test]
async fn a_command_whose_link_closes_while_it_is_written_waits_for_another() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let team = Team::on(&store).await;
    let link = team.link(&store, 1).await;
    let mut closing = database.connect().await;
    run(&mut closing, "BEGIN").await;
    run(
        &mut closing,
        &format!("DELETE FROM links WHERE id = '{link}'"),
    )
    .await;
    let held = (&mut closing, &database);
    let links = [(store.clone(), link)];
    let states = issued_while_held(held, &team, &links).await;
    assert_eq!(states, [CommandState::Pending]);
    assert_eq!(
        sound_chain_of(&store, &team).await,
        2,
        "with the agent's own"
    );
    let next = team.link(&store, 1).await;
    let claimed = store.claim_commands(team.claim(next, 9)).await.unwrap();
    assert_eq!(claimed.len(), 1);
}

#[tokio::test]
async fn commands_that_are_written_at_once_follow_each_other_in_the_chain() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let team = Team::on(&store).await;
    let mut links = Vec::new();
    for replica in 1..4 {
        let store = database.store().await;
        let link = team.link(&store, replica).await;
        links.push((store, link));
    }
    let mut other = database.connect().await;
    run(&mut other, "BEGIN").await;
    let lock = format!(
        "SELECT 1 FROM audit_heads WHERE project_id = '{}' FOR UPDATE",
        team.project
    );
    run(&mut other, &lock).await;
    let held = (&mut other, &database);
    let states = issued_while_held(held, &team, &links).await;
    assert_eq!(states, [CommandState::Dispatched; 3]);
    // By turns: what each remembers of the chain is old, or the last it wrote.
    for (store, link) in links.iter().chain(&links).flat_map(|one| [one, one]) {
        let mut command = team.command();
        command.claim_for = Some(*link);
        let issued = store.issue_command(command).await.unwrap();
        let IssueOutcome::Issued(row) = issued else {
            panic!("{issued:?}");
        };
        assert_eq!(row.state, CommandState::Dispatched);
    }
    assert_eq!(
        sound_chain_of(&store, &team).await,
        16,
        "with the agent's own"
    );
}

#[tokio::test]
async fn an_audit_entry_cannot_be_changed_or_deleted() {
    let database = Database::fresh().await;
    let store = database.store().await;
    store
        .append_audit(vec![audit(ChainId::Instance)])
        .await
        .unwrap();
    let mut conn = database.connect().await;
    for sql in [
        "UPDATE audit_entries SET action = 'x'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
    ] {
        let refused = sqlx::query(sql).execute(&mut conn).await.expect_err(sql);
        assert!(refused.to_string().contains("never changed"), "{refused}");
    }
}

#[tokio::test]
async fn a_deadlock_is_tried_again() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let teams = [Team::on(&store).await, Team::on(&store).await];
    let chains = teams.map(|team| team.project);
    let (first, second) = (chains[0].min(chains[1]), chains[0].max(chains[1]));
    let lock =
        |project| format!("SELECT 1 FROM audit_heads WHERE project_id = '{project}' FOR UPDATE");
    let mut other = database.connect().await;
    // Only the store looks for a deadlock, and so is the one whose transaction the server ends.
    run(&mut other, "SET deadlock_timeout = '1min'").await;
    run(&mut other, "BEGIN").await;
    run(&mut other, &lock(second)).await;
    let append = {
        let store = store.clone();
        let entries = vec![
            audit(ChainId::Project(first)),
            audit(ChainId::Project(second)),
        ];
        tokio::spawn(async move { store.append_audit(entries).await })
    };
    let mut watcher = database.connect().await;
    until(async || {
        let sql = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
                   WHERE NOT granted AND datname = current_database()";
        let waiting: i64 = sqlx::query_scalar(sql)
            .fetch_one(&mut watcher)
            .await
            .unwrap();
        waiting > 0
    })
    .await;
    // Now each waits for the other.
    run(&mut other, &lock(first)).await;
    run(&mut other, "COMMIT").await;
    soon(append).await.unwrap().expect("tried again");
    let entries: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM audit_entries WHERE action = 'test.entry' AND project_id = ANY ($1)",
    )
    .bind([*first.as_uuid(), *second.as_uuid()])
    .fetch_one(&mut watcher)
    .await
    .unwrap();
    assert_eq!(
        entries, 4,
        "two agents were minted and two entries appended"
    );
}
