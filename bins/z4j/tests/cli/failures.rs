//! What cannot start says why in one sentence and exits with 1.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use crate::brain::{Brain, free_port, run, z4j};

fn sentence(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.trim().lines().count(), 1, "one sentence: {text}");
    text
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let port = free_port();
    let output = run(
        &file.join("below"),
        &["serve", "--bind", &format!("127.0.0.1:{port}")],
    );
    let text = sentence(&output);
    assert!(
        text.contains("data folder") && text.contains("below"),
        "{text}"
    );
}

#[test]
fn a_port_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = sentence(&run(folder.path(), &["serve", "--bind", &address]));
    assert!(text.contains(&address), "{text}");
}

#[test]
fn a_file_that_another_brain_serves_is_named_and_free_once_that_one_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let first = Brain::start(folder.path());
    let text = sentence(&run(folder.path(), &["serve", "--bind", "127.0.0.1:0"]));
    assert!(
        text.contains("another brain serves") && text.contains("z4j.db"),
        "{text}"
    );
    first.kill();
    let _second = Brain::start(folder.path());
}

#[test]
fn a_file_that_is_no_database_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "x".repeat(40);
    std::fs::write(
        folder.path().join("z4j.db"),
        "this is a letter to a friend, and long enough to be one".repeat(40),
    )
    .unwrap();
    let before = std::fs::read(folder.path().join("z4j.db")).unwrap();
    let mut command = z4j(folder.path());
    for name in ["Z4J_SECRET", "Z4J_SESSION_SECRET", "Z4J_AUDIT_CHAIN_SECRET"] {
        command.env(name, &secret);
    }
    let output = command
        .args(["serve", "--bind", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert!(sentence(&output).contains("z4j.db"));
    assert_eq!(std::fs::read(folder.path().join("z4j.db")).unwrap(), before);
}

#[test]
fn a_database_newer_than_the_binary_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Brain::start(folder.path()).terminate(), Some(0));
    let newest = || {
        let db = rusqlite::Connection::open(folder.path().join("z4j.db")).unwrap();
        let sql = "SELECT max(version) FROM schema_migrations";
        db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let db = rusqlite::Connection::open(folder.path().join("z4j.db")).unwrap();
    let sql =
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'later', x'00')";
    db.execute(sql, []).unwrap();
    drop(db);
    let text = sentence(&run(folder.path(), &["serve", "--bind", "127.0.0.1:0"]));
    assert!(text.contains("newer z4j"), "{text}");
    assert_eq!(newest(), 9999);
}

#[test]
fn a_database_without_its_secrets_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Brain::start(folder.path()).terminate(), Some(0));
    std::fs::remove_file(folder.path().join("secret.env")).unwrap();
    let text = sentence(&run(folder.path(), &["serve", "--bind", "127.0.0.1:0"]));
    assert!(text.contains("Z4J_SECRET"), "{text}");
}

#[test]
fn a_secret_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Brain::start(folder.path()).terminate(), Some(0));
    let path = folder.path().join("secret.env");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = sentence(&run(folder.path(), &["serve", "--bind", "127.0.0.1:0"]));
    assert!(text.contains("chmod 600"), "{text}");
}

#[test]
fn a_server_that_cannot_be_reached_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let url = format!("postgres://z4j:hunter2hunter2@127.0.0.1:{port}/z4j");
    let args = ["serve", "--bind", "127.0.0.1:0", "--database-url", &url];
    let text = sentence(&run(folder.path(), &args));
    assert!(
        text.contains(&format!("127.0.0.1:{port}")) && text.contains("check the host and port"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
    for url in ["mysql://z4j:hunter2hunter2@127.0.0.1/z4j", "postgres://"] {
        let args = ["serve", "--bind", "127.0.0.1:0", "--database-url", url];
        let text = sentence(&run(folder.path(), &args));
        assert!(text.contains("database URL"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_short_secret_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let output = z4j(folder.path())
        .env("Z4J_SESSION_SECRET", "short")
        .args(["serve", "--bind", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert!(sentence(&output).contains("Z4J_SESSION_SECRET"));
}

#[test]
fn a_failure_is_json_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &[
            "agent",
            "mint",
            "--project",
            "nowhere",
            "--name",
            "a",
            "--json",
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["error"], "failed");
}
