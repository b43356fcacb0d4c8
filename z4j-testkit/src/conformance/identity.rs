//! Set-up and projects.

use futures_util::future::join_all;
use z4j_core::id::ProjectId;
use z4j_core::policy::Role;
use z4j_core::store::{CompleteSetup, CreateProjectOutcome, SetupOutcome, SetupToken, Store};

use super::scene::{at_s, fresh_id, new_project, new_user};

fn setup(email: &str, token: Option<&str>) -> CompleteSetup {
    let mut user = new_user(email);
    user.is_admin = true;
    CompleteSetup {
        token: token.map(str::to_owned),
        user,
        project_id: ProjectId::from_u128(fresh_id()),
        project_slug: "default".to_owned(),
        project_name: "Default".to_owned(),
        at: at_s(10),
    }
}

async fn open(store: &dyn Store) {
    let token = SetupToken {
        token: "secret".to_owned(),
        expires_at: at_s(100),
    };
    store
        .put_setup_token(token)
        .await
        .expect("storing the token");
}

pub(super) async fn one_of_many_setups_succeeds(store: &dyn Store) {
    open(store).await;
    assert!(!store.has_users().await.expect("an answer"));
    let attempts = (0..8)
        .map(|index| store.complete_setup(setup(&format!("u{index}@example.org"), Some("secret"))));
    let mut winners = Vec::new();
    for outcome in join_all(attempts).await {
        match outcome.expect("an answer") {
            SetupOutcome::Done(user) => winners.push(user),
            SetupOutcome::AlreadyDone => {}
            SetupOutcome::TokenInvalid => panic!("the token was right"),
        }
    }
    let [winner] = winners.as_slice() else {
        panic!("one of them: {winners:?}")
    };
    assert!(winner.is_admin && winner.is_active && store.has_users().await.expect("an answer"));
    let memberships = store.memberships(winner.id).await.expect("memberships");
    let [membership] = memberships.as_slice() else {
        panic!("one membership")
    };
    assert_eq!(
        (membership.project.slug.as_str(), membership.role),
        ("default", Role::Admin)
    );
}

pub(super) async fn wrong_or_lapsed_setup_token_is_refused(store: &dyn Store) {
    for token in ["secret", ""] {
        let without = store
            .complete_setup(setup("a@example.org", Some(token)))
            .await
            .expect("an answer");
        assert!(
            matches!(without, SetupOutcome::TokenInvalid),
            "set-up is not open"
        );
    }
    open(store).await;
    for wrong in ["", "secre", "secrets", "SECRET"] {
        let outcome = store
            .complete_setup(setup("a@example.org", Some(wrong)))
            .await
            .expect("an answer");
        assert!(matches!(outcome, SetupOutcome::TokenInvalid));
    }
    let late = CompleteSetup {
        at: at_s(100),
        ..setup("a@example.org", Some("secret"))
    };
    assert!(matches!(
        store.complete_setup(late).await.expect("an answer"),
        SetupOutcome::TokenInvalid
    ));
    assert!(!store.has_users().await.expect("an answer"));
    assert!(store.projects().await.expect("projects").is_empty());
}

pub(super) async fn repeated_setup_answers_the_first_user(store: &dyn Store) {
    open(store).await;
    let request = setup("a@example.org", Some("secret"));
    let SetupOutcome::Done(first) = store
        .complete_setup(request.clone())
        .await
        .expect("an answer")
    else {
        panic!("done")
    };
    let SetupOutcome::Done(again) = store.complete_setup(request).await.expect("an answer") else {
        panic!("done")
    };
    assert_eq!(first, again);
    assert_eq!(store.projects().await.expect("projects").len(), 1);
}

pub(super) async fn operator_sets_up_without_a_token(store: &dyn Store) {
    let done = store
        .complete_setup(setup("a@example.org", None))
        .await
        .expect("an answer");
    assert!(matches!(done, SetupOutcome::Done(_)));
    let second = store
        .complete_setup(setup("b@example.org", None))
        .await
        .expect("an answer");
    assert!(matches!(second, SetupOutcome::AlreadyDone));
}

pub(super) async fn setup_token_is_replaced_and_used_up(store: &dyn Store) {
    assert_eq!(store.setup_token().await.expect("an answer"), None);
    open(store).await;
    let next = SetupToken {
        token: "next".to_owned(),
        expires_at: at_s(200),
    };
    store
        .put_setup_token(next.clone())
        .await
        .expect("storing the token");
    assert!(store.setup_token().await.expect("an answer") == Some(next));
    let old = store
        .complete_setup(setup("a@example.org", Some("secret")))
        .await
        .expect("an answer");
    assert!(matches!(old, SetupOutcome::TokenInvalid));
    let done = store
        .complete_setup(setup("a@example.org", Some("next")))
        .await
        .expect("an answer");
    assert!(matches!(done, SetupOutcome::Done(_)));
    assert_eq!(store.setup_token().await.expect("an answer"), None);
}

pub(super) async fn project_slug_is_taken_once(store: &dyn Store) {
    let first = new_project("shop");
    let CreateProjectOutcome::Created(row) = store
        .create_project(first.clone())
        .await
        .expect("an answer")
    else {
        panic!("created")
    };
    assert_eq!(
        (row.id, row.slug.as_str(), row.name.as_str()),
        (first.id, "shop", "SHOP")
    );
    let CreateProjectOutcome::Created(again) =
        store.create_project(first).await.expect("an answer")
    else {
        panic!("the first row")
    };
    assert_eq!(again, row);
    let taken = store
        .create_project(new_project("shop"))
        .await
        .expect("an answer");
    assert!(matches!(taken, CreateProjectOutcome::SlugTaken));
    let _ = store
        .create_project(new_project("alpha"))
        .await
        .expect("an answer");
    let slugs: Vec<_> = store
        .projects()
        .await
        .expect("projects")
        .into_iter()
        .map(|project| project.slug)
        .collect();
    assert_eq!(slugs, ["alpha", "shop"]);
    assert_eq!(
        store.project_by_slug("shop").await.expect("an answer"),
        Some(row)
    );
    assert_eq!(
        store.project_by_slug("SHOP").await.expect("an answer"),
        None
    );
}
