//! People and their sessions.

use z4j_core::audit::ChainId;
use z4j_core::id::{UserId, UserSessionId};
use z4j_core::policy::Role;
use z4j_core::store::{
    CreateUserOutcome, EndSession, NewSession, PasswordHash, SetPassword, Store, UserRow,
};
use z4j_core::time::Timestamp;

use super::scene::{at_s, audit, create_project, fresh_id, member, new_user, token};

async fn person(store: &dyn Store, email: &str) -> UserRow {
    match store.create_user(new_user(email)).await.expect("an answer") {
        CreateUserOutcome::Created(user) => user,
        CreateUserOutcome::EmailTaken => panic!("{email} is taken"),
    }
}

/// Lives from second 0, idle until 100, at most until 1000.
fn new_session(user: &UserRow) -> NewSession {
    let id = fresh_id();
    NewSession {
        id: UserSessionId::from_u128(id),
        token_hash: token(id),
        user_id: user.id,
        password_hash: user.password_hash.clone(),
        created_at: at_s(0),
        idle_until: at_s(100),
        expires_at: at_s(1_000),
        remember: false,
        origin: Some("127.0.0.1".to_owned()),
        user_agent: None,
        audit: audit(ChainId::Instance, "auth.login"),
    }
}

async fn starts(store: &dyn Store, session: &NewSession) -> bool {
    store
        .create_session(session.clone())
        .await
        .expect("an answer")
}

async fn signed_in(store: &dyn Store, user: &UserRow) -> NewSession {
    let session = new_session(user);
    assert!(starts(store, &session).await);
    session
}

async fn lives(store: &dyn Store, session: &NewSession, now: Timestamp) -> bool {
    store
        .session(&session.token_hash, now)
        .await
        .expect("a look-up")
        .is_some()
}

pub(super) async fn address_belongs_to_one_person(store: &dyn Store) {
    let first = new_user("ann@example.org");
    let CreateUserOutcome::Created(ann) =
        store.create_user(first.clone()).await.expect("an answer")
    else {
        panic!("ann")
    };
    assert!(ann.is_active && !ann.is_admin && ann.last_login_at.is_none());
    let CreateUserOutcome::Created(again) = store.create_user(first).await.expect("an answer")
    else {
        panic!("ann")
    };
    assert_eq!(again, ann);
    let taken = store
        .create_user(new_user("ann@example.org"))
        .await
        .expect("an answer");
    assert!(matches!(taken, CreateUserOutcome::EmailTaken));
    assert_eq!(
        store
            .user_by_email("ann@example.org")
            .await
            .expect("an answer"),
        Some(ann.clone())
    );
    assert_eq!(store.user(ann.id).await.expect("an answer"), Some(ann));
    assert_eq!(
        store
            .user_by_email("bob@example.org")
            .await
            .expect("an answer"),
        None
    );
    assert_eq!(
        store
            .user(UserId::from_u128(fresh_id()))
            .await
            .expect("an answer"),
        None
    );
}

pub(super) async fn memberships_name_the_roles(store: &dyn Store) {
    let (shop, _other) = (
        create_project(store, "shop").await,
        create_project(store, "other").await,
    );
    let user = member(new_user("ann@example.org"), shop, Role::Operator);
    let id = user.id;
    let _ = store.create_user(user).await.expect("an answer");
    let memberships = store.memberships(id).await.expect("memberships");
    let found: Vec<_> = memberships
        .iter()
        .map(|row| (row.project.id, row.project.slug.as_str(), row.role))
        .collect();
    assert_eq!(found, [(shop, "shop", Role::Operator)]);
    let nobody = store
        .memberships(UserId::from_u128(fresh_id()))
        .await
        .expect("memberships");
    assert!(nobody.is_empty());
}

pub(super) async fn session_lives_until_it_lapses_or_ends(store: &dyn Store) {
    let user = person(store, "ann@example.org").await;
    let session = signed_in(store, &user).await;
    let found = store
        .session(&session.token_hash, at_s(99))
        .await
        .expect("a look-up")
        .expect("a live session");
    assert_eq!(
        (found.id, found.user.id, found.expires_at, found.remember),
        (session.id, user.id, at_s(1_000), false)
    );
    assert!(!lives(store, &session, at_s(100)).await, "idle");
    let unknown = store
        .session(&token(fresh_id()), at_s(1))
        .await
        .expect("a look-up");
    assert!(unknown.is_none());
    let end = EndSession {
        id: session.id,
        at: at_s(5),
        audit: audit(ChainId::Instance, "auth.logout"),
    };
    for _ in 0..2 {
        store.end_session(end.clone()).await.expect("ending");
    }
    assert!(!lives(store, &session, at_s(6)).await, "ended");
}

pub(super) async fn remembered_session_outlives_the_idle_time(store: &dyn Store) {
    let user = person(store, "ann@example.org").await;
    let session = NewSession {
        remember: true,
        ..new_session(&user)
    };
    assert!(starts(store, &session).await);
    assert!(lives(store, &session, at_s(999)).await);
    assert!(!lives(store, &session, at_s(1_000)).await, "expired");
}

pub(super) async fn use_moves_the_idle_deadline(store: &dyn Store) {
    let user = person(store, "ann@example.org").await;
    let session = signed_in(store, &user).await;
    store
        .touch_session(session.id, at_s(90), at_s(190))
        .await
        .expect("touching");
    store
        .touch_session(session.id, at_s(80), at_s(180))
        .await
        .expect("touching");
    let found = store
        .session(&session.token_hash, at_s(189))
        .await
        .expect("a look-up")
        .expect("a live session");
    assert_eq!(found.last_seen_at, at_s(90));
    assert!(!lives(store, &session, at_s(190)).await);
    let end = EndSession {
        id: session.id,
        at: at_s(95),
        audit: audit(ChainId::Instance, "auth.logout"),
    };
    store.end_session(end).await.expect("ending");
    store
        .touch_session(session.id, at_s(96), at_s(900))
        .await
        .expect("touching");
    assert!(
        !lives(store, &session, at_s(97)).await,
        "an ended session stays ended"
    );
}

pub(super) async fn new_password_ends_sessions(store: &dyn Store) {
    let (ann, bob) = (
        person(store, "ann@example.org").await,
        person(store, "bob@example.org").await,
    );
    let (of_ann, of_bob) = (signed_in(store, &ann).await, signed_in(store, &bob).await);
    let set = |end_sessions| SetPassword {
        user_id: ann.id,
        password_hash: PasswordHash::new(format!("$argon2id${end_sessions}")),
        expected: None,
        end_sessions,
        at: at_s(5),
        audit: None,
    };
    assert!(store.set_password(set(false)).await.expect("setting"));
    assert!(lives(store, &of_ann, at_s(6)).await);
    assert!(store.set_password(set(true)).await.expect("setting"));
    assert!(!lives(store, &of_ann, at_s(6)).await && lives(store, &of_bob, at_s(6)).await);
    let stored = store.user(ann.id).await.expect("an answer").expect("ann");
    assert_eq!(stored.password_hash.expose(), "$argon2id$true");
    let nobody = SetPassword {
        user_id: UserId::from_u128(fresh_id()),
        ..set(true)
    };
    assert!(!store.set_password(nobody).await.expect("an answer"));
}

pub(super) async fn session_starts_with_the_password_that_was_checked(store: &dyn Store) {
    let ann = person(store, "ann@example.org").await;
    let changed = PasswordHash::new("$argon2id$changed".to_owned());
    let set = SetPassword {
        user_id: ann.id,
        password_hash: changed.clone(),
        expected: None,
        end_sessions: true,
        at: at_s(5),
        audit: None,
    };
    assert!(store.set_password(set).await.expect("setting"));
    let late = new_session(&ann);
    assert!(!starts(store, &late).await);
    assert!(!lives(store, &late, at_s(6)).await);
    let stored = store.user(ann.id).await.expect("an answer").expect("ann");
    assert_eq!(stored.last_login_at, None);
    let nobody = NewSession {
        user_id: UserId::from_u128(fresh_id()),
        ..new_session(&stored)
    };
    assert!(!starts(store, &nobody).await);
    let page = z4j_core::store::PageRequest::first(100);
    let entries = store
        .audit_page(ChainId::Instance, Some("auth.login"), page)
        .await
        .expect("audit");
    assert!(entries.items.is_empty());
    let of_today = signed_in(store, &stored).await;
    assert!(lives(store, &of_today, at_s(6)).await);
}

pub(super) async fn password_is_set_in_place_of_the_expected_one(store: &dyn Store) {
    let (ann, bob) = (
        person(store, "ann@example.org").await,
        person(store, "bob@example.org").await,
    );
    let session = signed_in(store, &ann).await;
    let set = |to: &str, expected: PasswordHash| SetPassword {
        user_id: ann.id,
        password_hash: PasswordHash::new(to.to_owned()),
        expected: Some(expected),
        end_sessions: true,
        at: at_s(5),
        audit: Some(audit(ChainId::Instance, "user.password")),
    };
    let other = PasswordHash::new("$argon2id$other".to_owned());
    let refused = store.set_password(set("$argon2id$late", other.clone()));
    assert!(!refused.await.expect("an answer"));
    let stored = store.user(ann.id).await.expect("an answer");
    assert_eq!(
        stored.as_ref(),
        Some(&UserRow {
            last_login_at: Some(at_s(0)),
            ..ann.clone()
        })
    );
    assert!(lives(store, &session, at_s(6)).await);
    let page = z4j_core::store::PageRequest::first(100);
    let entries = store
        .audit_page(ChainId::Instance, Some("user.password"), page)
        .await
        .expect("audit");
    assert!(entries.items.is_empty());
    let done = store.set_password(set("$argon2id$other", ann.password_hash.clone()));
    assert!(done.await.expect("an answer"));
    let stored = store.user(ann.id).await.expect("an answer").expect("ann");
    assert_eq!(stored.password_hash, other);
    let untouched = store.user(bob.id).await.expect("an answer");
    assert_eq!(untouched, Some(bob));
}

pub(super) async fn sign_in_is_recorded_on_the_person(store: &dyn Store) {
    let user = person(store, "ann@example.org").await;
    let session = new_session(&user);
    for _ in 0..2 {
        assert!(starts(store, &session).await);
    }
    let stored = store.user(user.id).await.expect("an answer").expect("ann");
    assert_eq!(stored.last_login_at, Some(at_s(0)));
    let page = z4j_core::store::PageRequest::first(100);
    let entries = store
        .audit_page(ChainId::Instance, Some("auth.login"), page)
        .await
        .expect("audit");
    assert_eq!(entries.items.len(), 1);
}
