//! A service of yours that carries a brain below `/z4j`, with its own router, its own sign-in and its own signals.
//!
//! ```text
//! cargo run -p z4j-brain --example embed -- ./data 7701
//! curl -H 'x-staff-token: <printed at the start>' http://127.0.0.1:7701/z4j/api/v1/auth/me
//! ```
//! The dashboard is at `/z4j` for a browser whose requests carry that header, as a proxy that signs people in adds it.
//! `/z4j/` with a slash at the end is not the brain's: axum leaves that address to the service around it.
//! Agents connect with `Z4J_BRAIN_URL=http://127.0.0.1:7701/z4j`.

use std::borrow::Cow;
use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::routing::get;
use http::request::Parts;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use z4j_brain::access::{AccessContext, AccessError, AccessPolicy, Principal};
use z4j_brain::config::BrainSecrets;
use z4j_brain::{Brain, Dashboard, DashboardAsset};
use z4j_core::env::Env;
use z4j_core::id::UserId;
use z4j_core::keys::{MasterSecret, same_secret};
use z4j_store_sqlite::SqliteStore;

/// The built dashboard.
#[derive(Debug)]
struct Pages;

impl Dashboard for Pages {
    fn asset(&self, path: &str) -> Option<DashboardAsset> {
        let asset = z4j_ui::asset(path)?;
        Some(DashboardAsset {
            bytes: asset.bytes,
            content_type: asset.content_type,
            etag: asset.etag,
            immutable: asset.immutable,
            brotli: asset.brotli,
            gzip: asset.gzip,
        })
    }

    fn shell(&self, nonce: &str) -> String {
        z4j_ui::shell(nonce)
    }

    fn script_hashes(&self) -> &[String] {
        z4j_ui::script_hashes()
    }

    fn shell_below(&self, base: &str, nonce: &str) -> String {
        z4j_ui::shell_below(base, nonce)
    }

    fn script_hashes_below(&self, base: &str) -> Cow<'_, [String]> {
        z4j_ui::script_hashes_below(base)
    }
}

/// Lets in whoever shows the token of this service's staff. A real service asks its own sessions.
#[derive(Debug)]
struct StaffOnly {
    token: SecretString,
}

#[async_trait]
impl AccessPolicy for StaffOnly {
    async fn principal(
        &self,
        request: &Parts,
        _context: AccessContext<'_>,
    ) -> Result<Option<Principal>, AccessError> {
        let shown = request
            .headers
            .get("x-staff-token")
            .map(http::HeaderValue::as_bytes);
        let is_staff =
            shown.is_some_and(|shown| same_secret(shown, self.token.expose_secret().as_bytes()));
        let staff = || Principal::new(UserId::from_u128(1), "Staff").with_instance_admin();
        Ok(is_staff.then(staff))
    }

    fn has_password_sign_in(&self) -> bool {
        false
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let data_dir = arguments.next().unwrap_or_else(|| "embed-data".to_owned());
    let port: u16 = arguments.next().map_or(Ok(7701), |port| port.parse())?;
    let data_dir = Path::new(&data_dir);

    let store = SqliteStore::in_dir(data_dir)?;
    let secrets = BrainSecrets {
        master: kept_secret(data_dir, "master")?,
        session: kept_secret(data_dir, "session")?,
        audit: kept_secret(data_dir, "audit")?,
    };
    let token = kept_secret(data_dir, "staff")?;
    println!("staff token: {}", token.expose_secret());
    let brain = Brain::builder(Arc::new(store.clone()), secrets, StaffOnly { token })
        .with_dashboard(Pages)
        .build()?;

    let app = Router::new()
        .route("/", get(|| async { "the service itself" }))
        .nest("/z4j", brain.router());
    let stop = CancellationToken::new();
    let running = tokio::spawn(brain.run(stop.clone()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let signal = async move {
        // Without a handler for Ctrl-C the service runs until it is killed, which is as safe.
        let _ = tokio::signal::ctrl_c().await;
        stop.cancel();
    };
    axum::serve(listener, service)
        .with_graceful_shutdown(signal)
        .await?;
    running.await??;
    store.close().await;
    Ok(())
}

/// A secret that is made at the first start and kept in the data directory.
fn kept_secret(directory: &Path, name: &str) -> Result<SecretString, Box<dyn Error>> {
    let path = directory.join(format!("{name}.secret"));
    match fs::read_to_string(&path) {
        Ok(text) => Ok(SecretString::from(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let secret = MasterSecret::generate(&Env::system());
            write_private(&path, secret.expose())?;
            Ok(SecretString::from(secret.expose().to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    std::io::Write::write_all(&mut options.open(path)?, text.as_bytes())
}
