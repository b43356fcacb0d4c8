//! A database of a test's own.

use sqlx::{Connection, PgConnection};
use tokio::sync::OnceCell;
use z4j_core::env::Env;
use z4j_store_pg::{PgConfig, PgStore, PgUrl};

use super::{ServerMissing, admin, programs, shared};

/// Makes concurrent makers of the template wait for each other.
const TEMPLATE_LOCK: i64 = 0x7a34_6a74_706c;

/// A fresh database. It is dropped with this value, and whoever is still connected to it is cut off.
#[derive(Debug)]
pub struct Database {
    admin_url: String,
    url: String,
    name: String,
    is_durable: bool,
}

impl Database {
    /// A database with z4j's schema in place and nothing in it.
    ///
    /// # Panics
    /// With one sentence that says what is missing, when there is no server.
    pub async fn fresh() -> Self {
        Self::try_fresh()
            .await
            .unwrap_or_else(|missing| panic!("{missing}"))
    }

    /// A database without any table.
    ///
    /// # Panics
    /// As [`Self::fresh`].
    pub async fn empty() -> Self {
        let made = async {
            let admin_url = server_url().await?;
            Self::create(admin_url, None, false).await
        };
        made.await
            .unwrap_or_else(|missing: ServerMissing| panic!("{missing}"))
    }

    /// As [`Self::fresh`], for callers that can do without.
    ///
    /// # Errors
    /// One sentence that says what is missing.
    pub async fn try_fresh() -> Result<Self, ServerMissing> {
        let admin_url = server_url().await?;
        if programs::variable("DATABASE_URL").is_some() {
            // Nothing but the test's own database is left behind on a server that is not ours.
            let database = Self::create(admin_url, None, false).await?;
            database.migrate().await?;
            return Ok(database);
        }
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE
            .get_or_try_init(|| make_template(admin_url))
            .await?;
        Self::create(admin_url, Some(template), false).await
    }

    /// A database with z4j's schema on the server of `admin_url`.
    pub(super) async fn on(admin_url: &str, is_durable: bool) -> Result<Self, ServerMissing> {
        let database = Self::create(admin_url, None, is_durable).await?;
        database.migrate().await?;
        Ok(database)
    }

    async fn create(
        admin_url: &str,
        template: Option<&str>,
        is_durable: bool,
    ) -> Result<Self, ServerMissing> {
        let name = format!("z4j_test_{:032x}", Env::system().next_id());
        // Of a server that does not sync, copying files is a third quicker than copying pages.
        let source = template.map_or_else(
            || "template0".to_owned(),
            |template| format!("{template} STRATEGY file_copy"),
        );
        let mut conn = admin::connect(admin_url).await?;
        let sql = format!("CREATE DATABASE {name} TEMPLATE {source} ENCODING 'UTF8'");
        admin::run(&mut conn, sql).await?;
        let _ = conn.close().await;
        Ok(Self {
            admin_url: admin_url.to_owned(),
            url: admin::with_database(admin_url, &name),
            name,
            is_durable,
        })
    }

    async fn migrate(&self) -> Result<(), ServerMissing> {
        PgStore::migrate(&self.config())
            .await
            .map(drop)
            .map_err(|error| ServerMissing::new(format!("the schema cannot be made: {error:?}")))
    }

    /// The URL of the database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the server's maintenance database, for statements about databases and sessions.
    #[must_use]
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// The name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Settings for a store on this database.
    #[must_use]
    pub fn config(&self) -> PgConfig {
        let url = PgUrl::parse(&self.url).unwrap_or_else(|refusal| panic!("{refusal}"));
        PgConfig::new(url)
            .with_connections(6)
            .allowing_weak_durability(!self.is_durable)
    }

    /// A store on this database.
    pub async fn store(&self) -> PgStore {
        PgStore::open(self.config())
            .await
            .unwrap_or_else(|error| panic!("the store must open: {error:?}"))
    }

    /// A connection of the test's own, beside the store's.
    pub async fn connect(&self) -> PgConnection {
        admin::connect(&self.url)
            .await
            .unwrap_or_else(|missing| panic!("{missing}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (admin_url, name) = (self.admin_url.clone(), self.name.clone());
        // A runtime of its own, because the test's may be gone or may not be blocked.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                if let Ok(mut conn) = admin::connect(&admin_url).await {
                    let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                    let _ = admin::run(&mut conn, sql).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

async fn server_url() -> Result<&'static str, ServerMissing> {
    static GIVEN: OnceCell<Option<String>> = OnceCell::const_new();
    let given = GIVEN
        .get_or_init(|| async { programs::variable("DATABASE_URL") })
        .await;
    match given {
        Some(url) => Ok(url),
        None => shared::url().await,
    }
}

/// The database that fresh ones are copied from; made by the first process that needs it.
async fn make_template(admin_url: &str) -> Result<String, ServerMissing> {
    let name = format!("z4j_template_{}", PgStore::schema_digest());
    let mut conn = admin::connect(admin_url).await?;
    admin::run(
        &mut conn,
        format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})"),
    )
    .await?;
    let sql = "SELECT datistemplate FROM pg_database WHERE datname = $1";
    let found: Option<bool> = sqlx::query_scalar(sql)
        .bind(&name)
        .fetch_optional(&mut conn)
        .await
        .map_err(|error| ServerMissing::new(format!("the test server refused: {error}")))?;
    if found != Some(true) {
        admin::run(&mut conn, format!("DROP DATABASE IF EXISTS {name}")).await?;
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        admin::run(&mut conn, sql).await?;
        let url = PgUrl::parse(&admin::with_database(admin_url, &name))
            .map_err(|refusal| ServerMissing::new(refusal.to_string()))?;
        PgStore::migrate(&PgConfig::new(url).allowing_weak_durability(true))
            .await
            .map_err(|error| ServerMissing::new(format!("the schema cannot be made: {error:?}")))?;
        admin::run(&mut conn, format!("ALTER DATABASE {name} IS_TEMPLATE true")).await?;
    }
    let _ = conn.close().await;
    Ok(name)
}
