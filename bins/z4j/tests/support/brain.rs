//! The binary as a child process: started, asked, killed.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) use z4j_testkit::ports::free_port;

const BINARY: &str = env!("CARGO_BIN_EXE_z4j");
const READY_TIME_MAX: Duration = Duration::from_secs(20);

/// The admin that [`Brain::start`] makes.
pub(crate) const EMAIL: &str = "admin@example.org";
/// That admin's password.
pub(crate) const PASSWORD: &str = "a-long-password-for-one-test";

/// A running brain. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Brain {
    child: Child,
    /// The port it listens on.
    pub(crate) port: u16,
    log: Arc<Mutex<String>>,
}

/// The binary with none of this process's own `Z4J_*` variables.
pub(crate) fn z4j(dir: &Path) -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("Z4J_") {
            command.env_remove(name);
        }
    }
    command.env("Z4J_DATA_DIR", dir).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(dir: &Path, args: &[&str]) -> Output {
    z4j(dir).args(args).output().unwrap()
}

impl Brain {
    /// Starts on a free port with an admin, and waits until it is ready.
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_on(dir, free_port())
    }

    /// The same on a given port.
    pub(crate) fn start_on(dir: &Path, port: u16) -> Self {
        let mut command = z4j(dir);
        command
            .env("Z4J_BOOTSTRAP_ADMIN_EMAIL", EMAIL)
            .env("Z4J_BOOTSTRAP_ADMIN_PASSWORD", PASSWORD)
            .env("Z4J_LOG", "warn");
        Self::start_with(command, port)
    }

    /// Starts `command` with `serve` on `port` and waits until it is ready.
    pub(crate) fn start_with(mut command: Command, port: u16) -> Self {
        let mut child = command
            .args(["serve", "--bind", &format!("127.0.0.1:{port}")])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, kept) = (
            BufReader::new(child.stderr.take().unwrap()),
            Arc::clone(&log),
        );
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                kept.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let mut brain = Self { child, port, log };
        brain.wait_ready();
        brain
    }

    fn wait_ready(&mut self) {
        let began = Instant::now();
        while status(self.port, "/health/ready", "") != Some(200) {
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "the brain ended: {}",
                self.log()
            );
            assert!(
                began.elapsed() < READY_TIME_MAX,
                "the brain was not ready: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until its standard error holds `text`.
    pub(crate) fn wait_log(&self, text: &str) -> String {
        let began = Instant::now();
        loop {
            let log = self.log();
            if log.contains(text) {
                return log;
            }
            assert!(
                began.elapsed() < READY_TIME_MAX,
                "{text:?} was not logged: {log}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The setup URL that it printed.
    pub(crate) fn setup_url(&self) -> String {
        let log = self.wait_log("/setup?token=");
        let line = log
            .lines()
            .find(|line| line.contains("/setup?token="))
            .unwrap();
        line.trim().to_owned()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGSTOP: its sockets stay open and nothing answers.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    /// Ends [`Self::pause`].
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        self.signal("TERM");
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                began.elapsed() < Duration::from_secs(12),
                "the brain did not stop: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Brain {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status of one plain GET; `None` when nobody answers.
pub(crate) fn status(port: u16, path: &str, headers: &str) -> Option<u16> {
    let answer = exchange(
        port,
        &format!(
            "GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n{headers}connection: close\r\n\r\n"
        ),
    )?;
    answer.split_whitespace().nth(1)?.parse().ok()
}

/// One JSON POST as the dashboard sends it; status and body.
pub(crate) fn post(port: u16, path: &str, body: &str) -> Option<(u16, String)> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nsec-fetch-site: same-origin\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(port, &request)?;
    let status = answer.split_whitespace().nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n")?.1.to_owned();
    Some((status, body))
}

/// Sends one request and reads until the other end closes.
pub(crate) fn exchange(port: u16, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
