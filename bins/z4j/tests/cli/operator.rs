//! The operator's commands, beside a running brain and without one.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::brain::{Brain, PASSWORD, post, run, z4j};

fn json(output: &std::process::Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn agents_are_minted_rotated_and_revoked_beside_a_running_brain() {
    let folder = tempfile::tempdir().unwrap();
    let _brain = Brain::start(folder.path());
    let agent = |verb: &str| {
        run(
            folder.path(),
            &[
                "agent",
                verb,
                "--project",
                "default",
                "--name",
                "web",
                "--json",
            ],
        )
    };
    let minted = json(&agent("mint"));
    assert!(minted["token"].as_str().unwrap().starts_with("z4ja_"));
    assert_eq!(minted["hmac_secret"].as_str().unwrap().len(), 44);
    assert_eq!(agent("mint").status.code(), Some(1), "the name is taken");
    let rotated = json(&agent("rotate"));
    assert_eq!(rotated["agent"]["id"], minted["agent"]["id"]);
    assert_ne!(rotated["token"], minted["token"]);
    assert_eq!(json(&agent("revoke"))["revoked"], true);
    assert_eq!(
        agent("rotate").status.code(),
        Some(1),
        "it has no rights any more"
    );
}

#[test]
fn people_are_created_with_a_password_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let brain = Brain::start(folder.path());
    let with_password = |args: &[&str], password: &str| {
        let mut child = z4j(folder.path())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(password.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    };
    let create = [
        "user",
        "create",
        "--email",
        "op@example.org",
        "--project",
        "default",
        "--role",
        "operator",
        "--json",
    ];
    assert_eq!(
        with_password(&create, "short").status.code(),
        Some(1),
        "a weak password"
    );
    json(&with_password(&create, PASSWORD));
    let sign_in = |password: &str| {
        let body = format!(r#"{{"email":"op@example.org","password":"{password}"}}"#);
        post(brain.port, "/api/v1/auth/login", &body).unwrap().0
    };
    assert_eq!(sign_in(PASSWORD), 200);
    let set = [
        "user",
        "set-password",
        "--email",
        "op@example.org",
        "--json",
    ];
    json(&with_password(&set, "another-long-password-for-them"));
    assert_eq!(sign_in(PASSWORD), 401);
    assert_eq!(sign_in("another-long-password-for-them"), 200);
}

#[test]
fn the_audit_chain_verifies_and_its_heads_are_exported() {
    let folder = tempfile::tempdir().unwrap();
    let _brain = Brain::start(folder.path());
    json(&run(
        folder.path(),
        &[
            "agent",
            "mint",
            "--project",
            "default",
            "--name",
            "web",
            "--json",
        ],
    ));
    let verified = json(&run(folder.path(), &["audit", "verify", "--json"]));
    assert_eq!(verified["whole"], true);
    let heads = json(&run(folder.path(), &["audit", "export-head"]));
    assert!(!heads["heads"].as_array().unwrap().is_empty());
    let words = run(folder.path(), &["audit", "verify"]);
    assert!(String::from_utf8_lossy(&words.stdout).contains("cannot be excluded"));
}

#[test]
fn doctor_version_migrate_and_openapi_answer() {
    let folder = tempfile::tempdir().unwrap();
    json(&run(folder.path(), &["migrate", "--json"]));
    let findings = run(folder.path(), &["doctor", "--json"]);
    let findings: Value = serde_json::from_slice(&findings.stdout).unwrap();
    let database = findings
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["check"] == "database");
    assert_eq!(database.unwrap()["ok"], true);
    assert_eq!(
        json(&run(folder.path(), &["version", "--json"]))["protocol"],
        "2"
    );
    let document = json(&run(folder.path(), &["openapi"]));
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
}
