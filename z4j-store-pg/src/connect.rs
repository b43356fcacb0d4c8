//! Connections of our own, beside the pool: the ingest lanes and the one that waits for notifications.

use std::fmt;
use std::time::Duration;

use futures_util::future::poll_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use z4j_core::env::Env;

use crate::fault::Fault;
use crate::session::Session;
use crate::tls;
use crate::url::{PgUrl, SslMode};

/// How long the way to the server may take.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// A peer that does not confirm what was sent is gone after this.
const SILENT_PEER_WAIT: Duration = Duration::from_secs(30);

/// Takes the text of each notification. It must not wait: nothing else moves on the connection meanwhile.
pub(crate) type Ear = Box<dyn Fn(&str) + Send>;

/// Makes connections to one database.
#[derive(Clone)]
pub(crate) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    url: PgUrl,
    after_connect: Option<&'static str>,
}

impl Connector {
    pub(crate) fn new(url: &PgUrl, session: &Session) -> Result<Self, Fault> {
        let mut config = url.config();
        config
            .connect_timeout(CONNECT_WAIT)
            .tcp_user_timeout(SILENT_PEER_WAIT)
            .keepalives_idle(SILENT_PEER_WAIT)
            .ssl_mode(match url.ssl_mode() {
                SslMode::Disable => tokio_postgres::config::SslMode::Disable,
                SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
                SslMode::Require | SslMode::VerifyFull => tokio_postgres::config::SslMode::Require,
            });
        if !session.startup.is_empty() {
            let options: Vec<String> = session
                .startup
                .iter()
                .map(|(name, value)| format!("-c {name}={value}"))
                .collect();
            config.options(options.join(" "));
        }
        Ok(Self {
            config,
            tls: tls::connector(url)?,
            url: url.clone(),
            after_connect: session.after_connect,
        })
    }

    /// A connection, whose notifications go to `ear`.
    pub(crate) async fn connect(&self, ear: Option<Ear>) -> Result<Line, Fault> {
        let made = async {
            let line = match &self.tls {
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    Line::drive(client, connection, ear)
                }
                Some(tls) => {
                    let (client, connection) = self.config.connect(tls.clone()).await?;
                    Line::drive(client, connection, ear)
                }
            };
            if let Some(told) = self.after_connect {
                line.client.batch_execute(told).await?;
            }
            Ok(line)
        };
        tokio::time::timeout(CONNECT_WAIT, made)
            .await
            .map_err(|_| Fault::TooSlow)?
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// One connection and the task that moves its bytes. Dropped, both end at once; an open transaction is rolled back.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) client: Client,
    driver: JoinHandle<()>,
}

impl Line {
    fn drive<S, T>(client: Client, mut connection: Connection<S, T>, ear: Option<Ear>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let driver = tokio::spawn(async move {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notification(notification)) => {
                        if let Some(ear) = &ear {
                            ear(notification.payload());
                        }
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(%error, "a database connection ended");
                        return;
                    }
                }
            }
        });
        Self { client, driver }
    }

    /// Waits until the connection is gone.
    pub(crate) async fn ended(&mut self) {
        // How it ended was said where it ended.
        let _ = (&mut self.driver).await;
    }

    /// Whether the connection is gone, so that another is needed.
    pub(crate) fn is_gone(&self) -> bool {
        self.client.is_closed() || self.driver.is_finished()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Grows the wait between tries: 50 ms, doubled up to 5 s, each with full jitter above half of it.
#[derive(Debug)]
pub(crate) struct Backoff {
    env: Env,
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LAST: Duration = Duration::from_secs(5);

    pub(crate) const fn new(env: Env) -> Self {
        Self {
            env,
            next: Self::FIRST,
        }
    }

    /// Waits before the next try.
    pub(crate) async fn wait(&mut self) {
        let half = self.next / 2;
        let wait = half + self.env.jitter(half);
        self.next = (self.next * 2).min(Self::LAST);
        tokio::time::sleep(wait).await;
    }

    /// After a success the next failure waits briefly again.
    pub(crate) const fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}
