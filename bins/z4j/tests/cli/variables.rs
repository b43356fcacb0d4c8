//! Every variable of the contract changes something.

use crate::brain::{Brain, free_port, run, status, z4j};

#[test]
fn the_flag_beats_the_variable_and_the_variable_beats_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (file, variable, flag) = (free_port(), free_port(), free_port());
    std::fs::write(
        folder.path().join("z4j.toml"),
        format!("bind = \"127.0.0.1:{file}\"\n"),
    )
    .unwrap();
    let serve = |with_variable: bool, port: u16| {
        let mut command = z4j(folder.path());
        if with_variable {
            command.env("Z4J_BIND", format!("127.0.0.1:{variable}"));
        }
        let mut child = command
            .arg("serve")
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let began = std::time::Instant::now();
        while status(port, "/health", "").is_none() && began.elapsed().as_secs() < 20 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let answered = status(port, "/health", "");
        child.kill().unwrap();
        child.wait().unwrap();
        answered
    };
    assert_eq!(serve(false, file), Some(200));
    assert_eq!(serve(true, variable), Some(200));
    let mut command = z4j(folder.path());
    command.env("Z4J_BIND", format!("127.0.0.1:{variable}"));
    Brain::start_with(command, flag);
}

#[test]
fn the_metrics_token_opens_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = z4j(folder.path());
    command.env("Z4J_METRICS_TOKEN", "metrics-token-of-this-test-0123456789");
    let brain = Brain::start_with(command, free_port());
    let bearer = |token: &str| format!("authorization: Bearer {token}\r\n");
    let with = |token: &str| status(brain.port, "/metrics", &bearer(token));
    assert_eq!(with("metrics-token-of-this-test-0123456789"), Some(200));
    assert_eq!(with("metrics-token-of-this-test-012345678X"), Some(401));
}

#[test]
fn the_log_has_the_format_and_filter_that_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = z4j(folder.path());
    command
        .env("Z4J_LOG_FORMAT", "json")
        .env("Z4J_BNID", "127.0.0.1:1");
    let brain = Brain::start_with(command, free_port());
    let log = brain.wait_log("z4j serves");
    let line = log
        .lines()
        .find(|line| line.contains("z4j serves"))
        .unwrap();
    assert!(
        serde_json::from_str::<serde_json::Value>(line).is_ok(),
        "{line}"
    );
    assert!(log.contains("Z4J_BIND"), "the nearest name is said: {log}");
    drop(brain);
    let mut quiet = z4j(folder.path());
    quiet.env("Z4J_LOG", "error");
    let brain = Brain::start_with(quiet, free_port());
    assert!(!brain.log().contains("z4j serves"));
}

#[test]
fn the_public_url_stands_in_the_setup_url() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = z4j(folder.path());
    command.env("Z4J_PUBLIC_URL", "https://tasks.example.org/");
    let brain = Brain::start_with(command, free_port());
    assert!(
        brain
            .setup_url()
            .starts_with("https://tasks.example.org/setup?token=")
    );
}

#[test]
fn the_database_url_moves_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("elsewhere.db");
    let url = format!("sqlite:{}", file.display());
    assert!(
        run(folder.path(), &["migrate", "--database-url", &url])
            .status
            .success()
    );
    assert!(file.exists() && !folder.path().join("z4j.db").exists());
    let mut command = z4j(folder.path());
    command.env("Z4J_DATABASE_URL", &url);
    Brain::start_with(command, free_port());
    assert!(!folder.path().join("z4j.db").exists());
}

#[test]
fn given_secrets_are_used_and_not_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = z4j(folder.path());
    for name in ["Z4J_SECRET", "Z4J_SESSION_SECRET", "Z4J_AUDIT_CHAIN_SECRET"] {
        command.env(name, format!("{name}-given-by-the-operator-0123456789"));
    }
    Brain::start_with(command, free_port());
    assert!(!folder.path().join("secret.env").exists());
}

#[test]
fn a_variable_is_taken_as_the_text_that_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for token in ["918273645546", "\"quoted-metrics-token\"", "true"] {
        let mut command = z4j(folder.path());
        command.env("Z4J_METRICS_TOKEN", token);
        let brain = Brain::start_with(command, free_port());
        let bearer = format!("authorization: Bearer {token}\r\n");
        assert_eq!(
            status(brain.port, "/metrics", &bearer),
            Some(200),
            "{token}"
        );
    }
}
