//! PgBouncer in transaction mode, in front of a database.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use z4j_store_pg::{PgConfig, PgUrl};

use super::programs::{as_user, server_user};
use super::{Database, admin};
use crate::ports::free_port;

/// A PgBouncer that lends each server connection for one transaction. It is stopped with this value.
#[derive(Debug)]
pub struct Bouncer {
    url: String,
    server: Child,
    _folder: TempDir,
}

impl Bouncer {
    /// Starts one for `database`, with at most `connections` to the server.
    ///
    /// # Panics
    /// With a sentence that says what is missing, when PgBouncer is not on this machine.
    pub async fn start(database: &Database, connections: u32) -> Self {
        let program = find().unwrap_or_else(|| {
            panic!(
                "tests behind PgBouncer need the program pgbouncer: install the package `pgbouncer`"
            )
        });
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
        let port = free_port();
        let server_port = database
            .url()
            .split('@')
            .nth(1)
            .and_then(|rest| rest.split(['/', '?']).next())
            .and_then(|host| host.rsplit(':').next())
            .unwrap_or("5432");
        let settings = format!(
            "[databases]\n{name} = host=127.0.0.1 port={server_port} user=z4j\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = {connections}\nmax_client_conn = 500\n",
            name = database.name(),
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).expect("its settings");
        let mut command = match server_user().unwrap_or_else(|missing| panic!("{missing}")) {
            Some(user) => as_user(&user, program.as_os_str()),
            None => Command::new(&program),
        };
        let server = command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pgbouncer starts");
        let url = format!(
            "postgres://z4j@127.0.0.1:{port}/{}?sslmode=disable",
            database.name()
        );
        let bouncer = Self {
            url,
            server,
            _folder: folder,
        };
        admin::wait_until_ready(&bouncer.url)
            .await
            .unwrap_or_else(|missing| panic!("{missing}"));
        bouncer
    }

    /// The URL of the database through PgBouncer.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Settings for a store that goes through it, and listens on `database` itself.
    #[must_use]
    pub fn config(&self, database: &Database) -> PgConfig {
        let parse = |url: &str| PgUrl::parse(url).unwrap_or_else(|refusal| panic!("{refusal}"));
        let mut config = database.config();
        config.url = parse(&self.url);
        config
            .with_listen_url(parse(database.url()))
            .behind_pgbouncer(true)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn find() -> Option<PathBuf> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder: PathBuf| folder.join("pgbouncer"))
        .find(|candidate| candidate.is_file())
}
