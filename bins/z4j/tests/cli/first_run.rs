//! The first minutes: secrets, the setup URL, the first admin, a quiet end.

use std::os::unix::fs::PermissionsExt;

use crate::brain::{Brain, EMAIL, PASSWORD, free_port, post, status, z4j};

#[test]
fn secrets_are_minted_for_the_owner_alone_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Brain::start(folder.path()).terminate(), Some(0));
    let path = folder.path().join("secret.env");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let minted = std::fs::read_to_string(&path).unwrap();
    assert_eq!(minted.lines().count(), 3);
    assert_eq!(Brain::start(folder.path()).terminate(), Some(0));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), minted);
}

#[test]
fn the_setup_url_works_once_and_stays_the_same_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let first = Brain::start_with(z4j(folder.path()), port);
    let url = first.setup_url();
    assert_eq!(first.terminate(), Some(0));
    let brain = Brain::start_with(z4j(folder.path()), port);
    assert_eq!(brain.setup_url(), url);
    let token = url.split_once("token=").unwrap().1;
    let body =
        |token: &str| format!(r#"{{"token":"{token}","email":"{EMAIL}","password":"{PASSWORD}"}}"#);
    let path = "/api/v1/setup/complete";
    assert_eq!(post(port, path, &body("wrong")).unwrap().0, 403);
    assert_eq!(post(port, path, &body(token)).unwrap().0, 201);
    assert_eq!(post(port, path, &body(token)).unwrap().0, 409);
    assert_eq!(brain.terminate(), Some(0));
    let settled = Brain::start_with(z4j(folder.path()), port);
    settled.wait_log("z4j serves");
    assert!(!settled.log().contains("/setup?token="));
}

#[test]
fn the_admin_of_the_environment_can_sign_in() {
    let folder = tempfile::tempdir().unwrap();
    let brain = Brain::start(folder.path());
    let body = format!(r#"{{"email":"{EMAIL}","password":"{PASSWORD}"}}"#);
    assert_eq!(
        post(brain.port, "/api/v1/auth/login", &body).unwrap().0,
        200
    );
    let wrong = format!(r#"{{"email":"{EMAIL}","password":"not-the-password-at-all"}}"#);
    assert_eq!(
        post(brain.port, "/api/v1/auth/login", &wrong).unwrap().0,
        401
    );
}

#[test]
fn health_is_open_and_metrics_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let brain = Brain::start(folder.path());
    assert_eq!(status(brain.port, "/health", ""), Some(200));
    assert!(matches!(
        status(brain.port, "/metrics", ""),
        Some(401 | 403 | 404)
    ));
}
