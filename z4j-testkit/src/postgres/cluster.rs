//! A server of a test's own, as safe as a real one, which the test may break.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::programs::{Programs, give_file, make_folder, run};
use super::{Database, ServerMissing, admin};
use crate::ports::free_port;

/// Ends the server and removes its files when the test's process is gone, however that ended.
const WATCHDOG: &str = r#"
cat >/dev/null
for pid in $(head -n 1 "$1/data/postmaster.pid" 2>/dev/null); do
  kill -CONT "$pid"; kill -QUIT "$pid"
  n=0; while kill -0 "$pid" 2>/dev/null && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
  kill -KILL "$pid"
done 2>/dev/null
rm -rf "$1"
"#;

/// What a server is made of.
struct Plan {
    settings: Vec<String>,
    parent: Option<PathBuf>,
    files: Vec<(String, String)>,
}

impl Plan {
    fn new(settings: &[&str]) -> Self {
        Self {
            settings: settings.iter().map(|text| (*text).to_owned()).collect(),
            parent: None,
            files: Vec::new(),
        }
    }
}

/// A server with `fsync` on. It is stopped and removed with this value.
#[derive(Debug)]
pub struct Cluster {
    programs: Programs,
    folder: Option<TempDir>,
    data: PathBuf,
    port: u16,
    settings: Vec<String>,
    server: Option<Child>,
    watchdog: Option<Child>,
}

impl Cluster {
    /// A running server that syncs every commit.
    ///
    /// # Panics
    /// With one sentence that says what is missing, when there are no server programs.
    pub async fn durable() -> Self {
        Self::with_settings(&[]).await
    }

    /// The same with more settings, each as `name=value`; a later one wins.
    ///
    /// # Panics
    /// As [`Self::durable`].
    pub async fn with_settings(settings: &[&str]) -> Self {
        Self::running(Plan::new(settings)).await
    }

    /// The same with files beside the data, each a name and what is in it, such as a certificate and its key.
    ///
    /// # Panics
    /// As [`Self::durable`].
    pub async fn with_files(files: &[(&str, &str)], settings: &[&str]) -> Self {
        let mut plan = Plan::new(settings);
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        plan.files = files.iter().map(owned).collect();
        Self::running(plan).await
    }

    /// The same with its files in a folder below `parent`, such as a file system that is small or slow.
    ///
    /// # Panics
    /// As [`Self::durable`].
    pub async fn below(parent: impl Into<PathBuf>, settings: &[&str]) -> Self {
        let mut plan = Plan::new(settings);
        plan.parent = Some(parent.into());
        Self::running(plan).await
    }

    async fn running(plan: Plan) -> Self {
        let making = tokio::task::spawn_blocking(move || Self::make(plan));
        let mut cluster = making
            .await
            .expect("the fixture does not panic")
            .unwrap_or_else(|missing| panic!("{missing}"));
        cluster.start().await;
        cluster
    }

    fn make(plan: Plan) -> Result<Self, ServerMissing> {
        let failed = |error: std::io::Error| {
            ServerMissing::new(format!("cannot make a folder for the test server: {error}"))
        };
        let programs = Programs::find()?;
        let mut builder = tempfile::Builder::new();
        builder.prefix("z4j-testkit-cluster-");
        let folder = match plan.parent {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        }
        .map_err(failed)?;
        // The server's user must get through to its data.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).map_err(failed)?;
        let data = folder.path().join("data");
        make_folder(&data)?;
        programs.init(&data)?;
        for (name, text) in &plan.files {
            give_file(&data.join(name), text)?;
        }
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "z4j-testkit-cluster"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        Ok(Self {
            programs,
            folder: Some(folder),
            data,
            port: free_port(),
            settings: plan.settings,
            server: None,
            watchdog: Some(watchdog),
        })
    }

    /// The URL of the maintenance database.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgres://z4j@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }

    /// The port on loopback; it stays the same over restarts.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The folder with the data and the file `server.log`.
    ///
    /// # Panics
    /// Never while the cluster lives.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.as_ref().expect("it lives").path()
    }

    /// A fresh database on this server, with z4j's schema.
    ///
    /// # Panics
    /// When the server does not run.
    pub async fn database(&self) -> Database {
        Database::on(&self.url(), true)
            .await
            .unwrap_or_else(|missing| panic!("{missing}"))
    }

    /// Starts the server and waits until it answers, its recovery included. Running, it stays as it is.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(&mut self) {
        if self.server.is_some() {
            return;
        }
        let url = self.url();
        let mut ready = Box::pin(admin::wait_until_ready(&url));
        loop {
            self.spawn();
            // What a killed server leaves behind, such as a process that still ends, keeps the next one away for a moment.
            tokio::select! {
                biased;
                ready = &mut ready => return ready.unwrap_or_else(|missing| panic!("{missing}")),
                () = self.ended() => {}
            }
        }
    }

    async fn ended(&mut self) {
        while let Some(server) = &mut self.server {
            if !matches!(server.try_wait(), Ok(None)) {
                return;
            }
            tokio::time::sleep(admin::LOOK_AGAIN).await;
        }
    }

    fn spawn(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder().join("server.log"))
            .expect("a log file");
        let mut command = self
            .programs
            .command("postgres")
            .unwrap_or_else(|missing| panic!("{missing}"));
        command.arg("-D").arg(&self.data);
        command.args(["-p", &self.port.to_string()]);
        command.args(["-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "unix_socket_directories=", "-c", "timezone=UTC"]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let server = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .spawn()
            .expect("the server starts");
        self.server = Some(server);
    }

    /// Stops the server as an operator does: transactions are rolled back, the log is folded in.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Stops the server at once, as a crash of it does; the next start recovers from the log.
    pub fn crash(&mut self) {
        self.end("QUIT");
    }

    /// Kills every process of the server with SIGKILL.
    pub fn kill(&mut self) {
        for pid in self.processes() {
            signal("KILL", pid);
        }
        self.end("KILL");
    }

    /// [`Self::stop`] and [`Self::start`].
    pub async fn restart(&mut self) {
        self.stop();
        self.start().await;
    }

    /// Freezes every process of the server: connections stay open and nothing answers.
    pub fn pause(&self) {
        for pid in self.processes() {
            signal("STOP", pid);
        }
    }

    /// Ends [`Self::pause`].
    pub fn resume(&self) {
        for pid in self.processes().into_iter().rev() {
            signal("CONT", pid);
        }
    }

    /// The server's own process and its children, that one first.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let Some(first) = self.server.as_ref().map(Child::id) else {
            return Vec::new();
        };
        let mut found = vec![first];
        let answer = Command::new("ps")
            .args(["-o", "pid=", "--ppid", &first.to_string()])
            .output();
        if let Ok(answer) = answer {
            let text = String::from_utf8_lossy(&answer.stdout).into_owned();
            found.extend(
                text.split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
        found
    }

    fn end(&mut self, how: &str) {
        if let Some(mut server) = self.server.take() {
            signal(how, server.id());
            let _ = server.wait();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for pid in self.processes().into_iter().rev() {
            signal("CONT", pid);
        }
        self.end("QUIT");
        // The end of its input lets the watchdog remove the folder.
        if let Some(mut watchdog) = self.watchdog.take() {
            drop(watchdog.stdin.take());
            let _ = watchdog.wait();
        }
        if let Some(folder) = self.folder.take() {
            let _ = folder.close();
        }
    }
}

/// To one process, which is ours.
fn signal(name: &str, pid: u32) {
    let _ = run(
        Command::new("kill").args([&format!("-{name}"), &pid.to_string()]),
        "kill",
    );
}
