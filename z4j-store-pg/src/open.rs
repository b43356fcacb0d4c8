//! Opens the pool with the settings that the store's promises rest on.

use std::time::Duration;

use futures_util::TryFutureExt;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};
use z4j_core::store::StoreErrorKind;

use crate::checks;
use crate::commands::Heads;
use crate::config::PgConfig;
use crate::connect::Connector;
use crate::fault::Fault;
use crate::ingest::Ingest;
use crate::listen::Listener;
use crate::migrate;
use crate::session::{PLAN_ONCE, Session};
use crate::store::Inner;
use crate::tasks::Mover;
use crate::url::PgUrl;

/// A connection that was idle for longer is asked whether it still lives before it is used.
const IDLE_TRUSTED: Duration = Duration::from_secs(1);
/// Statements that a connection keeps prepared.
const STATEMENTS_KEPT: usize = 256;
/// A server that has not answered for so long does not answer.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Checks the server and the schema, then opens the pool.
pub(crate) async fn open(config: PgConfig) -> Result<Inner, Fault> {
    let session = Session::new(&config)?;
    let connector = Connector::new(&config.main_url(), &session)?;
    let first = connect(&config.main_url(), &session).await?;
    answered(&config.main_url(), look(first, &config, &session)).await?;
    let ears = listening(&config)?;
    let ingest = Ingest::new(
        connector,
        &session,
        config.env.clone(),
        config.write_time_max,
    );
    let after_connect = session.after_connect;
    let mut pool_options = options(&config.main_url(), &session);
    if !session.is_pooled {
        pool_options = pool_options.options([PLAN_ONCE]);
    }
    let pool = PgPoolOptions::new()
        .max_connections(config.connections)
        .acquire_timeout(config.connection_wait)
        .test_before_acquire(false)
        .after_connect(move |conn, _| {
            Box::pin(async move {
                if let Some(told) = after_connect {
                    sqlx::raw_sql(told).execute(conn).await?;
                }
                Ok(())
            })
        })
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for > IDLE_TRUSTED {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(pool_options);
    let listener = Listener::start(
        ears,
        pool.clone(),
        config.schema.as_deref(),
        config.env.clone(),
    );
    let mover = Mover::start(pool.clone(), session.clone());
    Ok(Inner {
        config,
        session,
        pool,
        listener,
        ingest,
        heads: Heads::default(),
        mover,
    })
}

/// How to reach the server itself. Not through PgBouncer: what listens there listens on a session that others use next.
fn listening(config: &PgConfig) -> Result<Option<Connector>, Fault> {
    if config.behind_pgbouncer && config.listen_url.is_none() {
        tracing::warn!(
            "there is no connection for notifications, because PgBouncer passes none on: set listen_url to the server itself"
        );
        return Ok(None);
    }
    Connector::new(&config.direct_url(), &Session::plain()).map(Some)
}

fn options(url: &PgUrl, session: &Session) -> PgConnectOptions {
    let statements = if session.is_pooled {
        0
    } else {
        STATEMENTS_KEPT
    };
    let mut options = url
        .options()
        .statement_cache_capacity(statements)
        .disable_statement_logging();
    if !session.startup.is_empty() {
        let startup = session.startup.iter();
        options = options.options(startup.map(|(name, value)| (*name, value.as_str())));
    }
    options
}

/// One connection, or a sentence that says why there is none.
pub(crate) async fn connect(url: &PgUrl, session: &Session) -> Result<PgConnection, Fault> {
    let options = options(url, session);
    let connecting = async {
        let mut connection = PgConnection::connect_with(&options).await?;
        if let Some(told) = session.after_connect {
            sqlx::raw_sql(told).execute(&mut connection).await?;
        }
        Ok(connection)
    };
    let connected = connecting.map_err(|error: sqlx::Error| refused(url, &reason(&error)));
    answered(url, connected).await
}

/// What a start asks of a server, as long as it answers: one that freezes after the login would hold a start up for ever,
/// because its own limits freeze with it.
pub(crate) async fn answered<T>(
    url: &PgUrl,
    asking: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let Ok(answer) = tokio::time::timeout(ANSWER_WAIT, asking).await else {
        let why = format!(
            "it did not answer within {} s; check the host and port of the database URL and that the server runs",
            ANSWER_WAIT.as_secs()
        );
        return Err(refused(url, &why));
    };
    answer
}

fn refused(url: &PgUrl, why: &str) -> Fault {
    let sentence = format!("the database at {url} cannot be used: {why}");
    Fault::refused(StoreErrorKind::Unavailable, sentence)
}

/// Why a connection was refused, and what to do.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(fault) => {
            let advice = match fault.code().as_deref() {
                Some("28P01" | "28000") => "check the user and password of the database URL",
                Some("3D000") => "create the database or correct its name in the database URL",
                Some("53300") => "raise max_connections of the server or lower z4j's `connections`",
                Some("57P03") => "it is starting up or shutting down; try again in a moment",
                _ => "see the server's log",
            };
            format!("{}; {advice}", fault.message())
        }
        other => {
            let why = chain(other);
            // What the handshake says of a certificate comes as a fault of the connection.
            let is_of_tls = matches!(other, sqlx::Error::Tls(_)) || why.contains("certificate");
            let advice = if is_of_tls {
                "check sslmode and sslrootcert of the database URL"
            } else {
                "check the host and port of the database URL and that the server runs"
            };
            format!("{why}; {advice}")
        }
    }
}

fn chain(error: &sqlx::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Whether the server, the schema and the rights are such that a brain can work; seen from within a transaction that a write
/// would begin.
async fn look(mut conn: PgConnection, config: &PgConfig, session: &Session) -> Result<(), Fault> {
    sqlx::raw_sql(session.begin_write.clone())
        .execute(&mut conn)
        .await?;
    checks::server(&mut conn, config).await?;
    migrate::check(&mut conn).await?;
    checks::rights(&mut conn).await?;
    conn.close().await?;
    Ok(())
}
