//! What the end-to-end steps run against: Redis, a Python with Celery, and our own brain. All on free loopback ports.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::process::{self, Running};
use crate::stamp::Stamp;
use crate::tools;
use crate::workspace::Workspace;

/// How long a service may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A Redis of our own, without persistence.
#[derive(Debug)]
pub(crate) struct Redis {
    pub(crate) url: String,
    _running: Running,
}

impl Redis {
    pub(crate) fn start(workspace: &Workspace) -> anyhow::Result<Self> {
        let program = tools::find_or_install(
            &["redis-server"],
            "redis-server",
            "the check with a real Celery worker",
        )?;
        let folder = fresh_folder(workspace, "redis")?;
        let port = free_port()?;
        let mut command = process::tied_to_us(&program);
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
        ]);
        command
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(File::create(folder.join("redis.log"))?);
        let mut running = Running::start(&mut command, "redis-server")?;
        let answers = process::wait_until(START_LIMIT, || {
            running.must_still_run()?;
            Ok(ask(port, "PING\r\n").is_ok_and(|answer| answer.starts_with("+PONG")))
        })?;
        if !answers {
            bail!("redis-server does not answer on port {port}");
        }
        Ok(Self {
            url: format!("redis://127.0.0.1:{port}/0"),
            _running: running,
        })
    }
}

/// A brain with a fresh data folder, and the one-time setup URL that it printed.
#[derive(Debug)]
pub(crate) struct Brain {
    pub(crate) base_url: String,
    pub(crate) setup_url: String,
    pub(crate) log: PathBuf,
    pub(crate) data: PathBuf,
    _running: Running,
}

impl Brain {
    pub(crate) fn start(workspace: &Workspace, name: &str) -> anyhow::Result<Self> {
        let folder = fresh_folder(workspace, name)?;
        let (log, data) = (folder.join("brain.log"), folder.join("data"));
        let port = free_port()?;
        let mut command = process::tied_to_us(&workspace.dev_binary());
        command
            .args([
                "serve",
                "--bind",
                &format!("127.0.0.1:{port}"),
                "--data-dir",
            ])
            .arg(&data);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("Z4J_") {
                command.env_remove(variable);
            }
        }
        let mut running = Running::start(&mut command, "the brain")?;
        let stderr = running
            .child()
            .stderr
            .take()
            .context("standard error is a pipe")?;
        let setup_url = watch_for_setup_url(stderr, File::create(&log)?);
        let ready = process::wait_until(START_LIMIT, || {
            running
                .must_still_run()
                .with_context(|| format!("its log is {}", log.display()))?;
            Ok(ask(
                port,
                "GET /health/ready HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n",
            )
            .is_ok_and(|answer| answer.contains(" 200 ")))
        })?;
        if !ready {
            bail!(
                "the brain is not ready after {} s: its log is {}",
                START_LIMIT.as_secs(),
                log.display()
            );
        }
        let setup_url = setup_url.recv_timeout(START_LIMIT).with_context(|| {
            format!(
                "the brain printed no setup URL: its log is {}",
                log.display()
            )
        })?;
        Ok(Self {
            base_url: format!("http://127.0.0.1:{port}"),
            setup_url,
            log,
            data,
            _running: running,
        })
    }
}

/// Copies the brain's log into a file and sends the first setup URL seen in it.
fn watch_for_setup_url(
    stderr: impl Read + Send + 'static,
    mut log: File,
) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::sync_channel(1);
    let mut send = Some(send);
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let url = line
                .split_whitespace()
                .find(|word| word.starts_with("http") && word.contains("/setup?token="));
            if let Some(url) = url
                && let Some(send) = send.take()
            {
                // Only the first is wanted; whoever waited for it may be gone.
                let _ = send.try_send(url.to_owned());
            }
            let _ = writeln!(log, "{line}");
        }
    });
    receive
}

/// The folder of a virtual environment that holds exactly `tests-e2e/requirements.txt`; returns its `bin`.
pub(crate) fn python_environment(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let python = tools::require_python()?;
    let folder = workspace.target("e2e-venv");
    let bin = folder.join("bin");
    let requirements = workspace.path("tests-e2e/requirements.txt");
    let stamp = Stamp::of(
        workspace,
        "e2e-venv",
        std::slice::from_ref(&requirements),
        &python.to_string_lossy(),
    )?;
    if stamp.is_current() && bin.join("celery").is_file() {
        return Ok(bin);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let create = || {
        process::read(
            Command::new(&python).args(["-m", "venv"]).arg(&folder),
            "python3 -m venv",
        )
    };
    if let Err(error) = create() {
        // Debian keeps the part that puts pip into a new environment in a package of its own.
        if !tools::install("python3-venv") {
            return Err(error.context(
                "Python cannot make a virtual environment: install the package `python3-venv`",
            ));
        }
        create()?;
    }
    println!(
        "installing Celery and the published agent into {}",
        folder.display()
    );
    let mut install = Command::new(bin.join("python"));
    install
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(&requirements);
    process::run(&mut install, "pip install")?;
    stamp.keep()?;
    Ok(bin)
}

/// An empty folder under `target/e2e/`.
pub(crate) fn fresh_folder(workspace: &Workspace, name: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace.target("e2e").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Sends a few bytes and returns the first bytes of the answer.
fn ask(port: u16, request: &str) -> anyhow::Result<String> {
    let limit = Duration::from_secs(2);
    let mut stream =
        TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = [0; 64];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::watch_for_setup_url;

    #[test]
    fn setup_url_is_found_in_the_middle_of_a_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = "starting\n  | open http://127.0.0.1:7700/setup?token=abc within 15 minutes\nhttp://127.0.0.1/setup?token=second\n";
        let found = watch_for_setup_url(
            log.as_bytes(),
            File::create(folder.path().join("log")).unwrap(),
        );
        assert_eq!(
            found.recv().unwrap(),
            "http://127.0.0.1:7700/setup?token=abc"
        );
        assert!(found.recv().is_err());
    }
}
