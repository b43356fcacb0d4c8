//! The server's programs, and how to run them when we are root, which they refuse.

use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::ServerMissing;

/// The folder with `initdb` and `postgres`.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) folder: PathBuf,
}

impl Programs {
    /// Finds the newest server on this machine, or the one that `Z4J_TEST_PG_BIN` names.
    pub(super) fn find() -> Result<Self, ServerMissing> {
        if let Some(named) = variable("Z4J_TEST_PG_BIN") {
            let folder = PathBuf::from(&named);
            return holds_server(&folder)
                .then_some(Self { folder })
                .ok_or_else(|| {
                    ServerMissing::new(format!(
                        "Z4J_TEST_PG_BIN names {named}, which has no initdb and postgres"
                    ))
                });
        }
        let search = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&search).collect();
        for parent in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
            let Ok(entries) = std::fs::read_dir(parent) else {
                continue;
            };
            let mut found: Vec<PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
                .collect();
            found.sort();
            folders.extend(found.into_iter().rev());
        }
        folders.push("/usr/local/pgsql/bin".into());
        let folder = folders.into_iter().find(|folder| holds_server(folder));
        folder.map(|folder| Self { folder }).ok_or_else(|| {
            ServerMissing::new(
                "tests on PostgreSQL need a server: set DATABASE_URL, or install the package `postgresql` so that initdb and postgres are found (Z4J_TEST_PG_BIN names their folder)",
            )
        })
    }

    /// A program of the server, run as somebody who may run it.
    pub(super) fn command(&self, name: &str) -> Result<Command, ServerMissing> {
        let program = self.folder.join(name);
        match server_user()? {
            None => Ok(Command::new(program)),
            Some(user) => Ok(as_user(&user, program.as_os_str())),
        }
    }

    /// Makes the files of a cluster in `data`, which is made.
    pub(super) fn init(&self, data: &Path) -> Result<(), ServerMissing> {
        make_folder(data)?;
        let mut initdb = self.command("initdb")?;
        initdb.arg("-D").arg(data).args([
            "-U",
            "z4j",
            "--auth=trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ]);
        run(&mut initdb, "initdb").map(drop)
    }
}

fn holds_server(folder: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|name| folder.join(name).is_file())
}

/// Who runs the server when we are root; `None`: we do.
pub(super) fn server_user() -> Result<Option<String>, ServerMissing> {
    if own_uid()? != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = ["postgres", "nobody"].into_iter().find(|name| {
        users
            .lines()
            .any(|line| line.split(':').next() == Some(*name))
    });
    found.map(|name| Some(name.to_owned())).ok_or_else(|| {
        ServerMissing::new(
            "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as",
        )
    })
}

fn own_uid() -> Result<u32, ServerMissing> {
    std::fs::metadata("/proc/self")
        .map(|own| own.uid())
        .or_else(|_| {
            let answer = run(Command::new("id").arg("-u"), "id")?;
            let text = String::from_utf8_lossy(&answer.stdout);
            text.trim()
                .parse()
                .map_err(|_| ServerMissing::new("`id -u` does not say who we are"))
        })
}

/// Runs `program` as `user`, whose group has the name that the system gives it.
pub(super) fn as_user(user: &str, program: &OsStr) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .args(["--init-groups"])
        .arg(format!("--regid={}", group_of(user)))
        .arg("--")
        .arg(program);
    // The server's user may not be allowed into the folder that we are in.
    command.current_dir("/");
    command
}

pub(super) fn group_of(user: &str) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users
        .lines()
        .find(|line| line.split(':').next() == Some(user));
    line.and_then(|line| line.split(':').nth(3))
        .unwrap_or(user)
        .to_owned()
}

/// Makes a folder that belongs to whoever runs the server.
pub(super) fn make_folder(folder: &Path) -> Result<(), ServerMissing> {
    let failed = |error: std::io::Error| {
        ServerMissing::new(format!("cannot make {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
    if let Some(user) = server_user()? {
        run(Command::new("chown").arg(&user).arg(folder), "chown")?;
    }
    Ok(())
}

/// Writes a file that only whoever runs the server can read.
pub(super) fn give_file(file: &Path, text: &str) -> Result<(), ServerMissing> {
    let failed = |error: std::io::Error| {
        ServerMissing::new(format!("cannot write {}: {error}", file.display()))
    };
    std::fs::write(file, text).map_err(failed)?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    if let Some(user) = server_user()? {
        run(Command::new("chown").arg(&user).arg(file), "chown")?;
    }
    Ok(())
}

/// Runs a program to its end; what it complained of becomes the sentence.
pub(super) fn run(command: &mut Command, name: &str) -> Result<Output, ServerMissing> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| ServerMissing::new(format!("cannot run {name}: {error}")))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(ServerMissing::new(format!(
        "{name} failed: {}",
        said.trim()
    )))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a fixture is told by the environment which server to use"
)]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
