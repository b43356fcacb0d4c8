//! The one connection that waits for notifications, and proves to itself that it hears them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool};
use tokio::sync::broadcast;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use z4j_core::env::Env;
use z4j_core::store::{Announcement, Heard, Topic};

use crate::connect::{Backoff, Connector, Line};
use crate::fault::Fault;
use crate::lent::Lent;

/// How long each step of the listener's check of itself may take, and how long it then waits to hear itself.
const SELF_CHECK: Duration = Duration::from_secs(3);
/// Wake-ups that a slow subscriber may be behind before it misses some.
const WAKEUPS_WAITING_MAX: usize = 64;
/// Announcements that a slow listener may be behind before it is told that it missed some.
const ANNOUNCEMENTS_WAITING_MAX: usize = 1024;
/// The listener's own notifications, which nobody else has a use for.
const SELF: &str = "self:";

const ENDED: &str = "the connection ended";

const TOPICS: [Topic; 3] = [Topic::Commands, Topic::Agents, Topic::People];

/// How a topic is written in a notification.
pub(crate) const fn word(topic: Topic) -> Option<&'static str> {
    match topic {
        Topic::Commands => Some("commands"),
        Topic::Agents => Some("agents"),
        Topic::People => Some("people"),
        _ => None,
    }
}

/// Hears what other brains, and this one, tell through the database.
pub(crate) struct Listener {
    board: Board,
    channel: String,
    state: Arc<State>,
    stop: CancellationToken,
}

/// Where what was heard is put up for everybody in this process.
#[derive(Clone)]
struct Board {
    wakeups: broadcast::Sender<Topic>,
    announcements: broadcast::Sender<Heard>,
}

#[derive(Debug, Default)]
struct State {
    /// The connection was lost or proved deaf, and none is known to hear since.
    is_deaf: AtomicBool,
}

impl Listener {
    /// Starts the task that keeps the connection. It ends with the listener. Without a way to connect it hears nothing. What it
    /// says to itself goes through `pool`.
    pub(crate) fn start(
        connector: Option<Connector>,
        pool: PgPool,
        schema: Option<&str>,
        env: Env,
    ) -> Self {
        let board = Board {
            wakeups: broadcast::Sender::new(WAKEUPS_WAITING_MAX),
            announcements: broadcast::Sender::new(ANNOUNCEMENTS_WAITING_MAX),
        };
        let listener = Self {
            board,
            channel: channel(schema),
            state: Arc::default(),
            stop: CancellationToken::new(),
        };
        let Some(connector) = connector else {
            listener.state.is_deaf.store(true, Ordering::Relaxed);
            return listener;
        };
        let task = Task {
            connector,
            pool,
            env,
            board: listener.board.clone(),
            channel: listener.channel.clone(),
            state: Arc::clone(&listener.state),
        };
        let stop = listener.stop.clone();
        tokio::spawn(async move {
            stop.run_until_cancelled(task.run()).await;
        });
        listener
    }

    pub(crate) fn wakeups(&self) -> broadcast::Receiver<Topic> {
        self.board.wakeups.subscribe()
    }

    pub(crate) fn announcements(&self) -> broadcast::Receiver<Heard> {
        self.board.announcements.subscribe()
    }

    /// The channel on which z4j's brains of this schema notify each other.
    pub(crate) fn channel(&self) -> &str {
        &self.channel
    }

    /// Whether notifications are known not to arrive: hints then come from the slow poll only.
    pub(crate) fn is_deaf(&self) -> bool {
        self.state.is_deaf.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("channel", &self.channel)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Board {
    // No receiver is no fault in either.
    fn put_up(&self, text: &str) {
        if let Some(topic) = TOPICS.into_iter().find(|topic| word(*topic) == Some(text)) {
            let _ = self.wakeups.send(topic);
        } else if !text.starts_with(SELF) {
            let heard = Announcement::decode(text).map_or(Heard::MayHaveMissed, Heard::Announced);
            let _ = self.announcements.send(heard);
        }
    }

    /// What was told while nobody listened is not told again: one hint of each kind stands for it.
    fn put_up_missed(&self) {
        for topic in TOPICS {
            let _ = self.wakeups.send(topic);
        }
        let _ = self.announcements.send(Heard::MayHaveMissed);
    }
}

/// Channels belong to the whole database, schemas share it.
fn channel(schema: Option<&str>) -> String {
    schema.map_or_else(|| "z4j".to_owned(), |schema| format!("z4j_{schema}"))
}

struct Task {
    connector: Connector,
    pool: PgPool,
    env: Env,
    board: Board,
    channel: String,
    state: Arc<State>,
}

/// A connection that listens, and how it proves that it hears.
struct Ears {
    line: Line,
    /// What the listener says to itself.
    own: String,
    heard_itself: Arc<AtomicBool>,
    /// A word to itself is out, and it had its time to hear it.
    awaits_itself: bool,
}

impl Task {
    async fn run(self) {
        let mut backoff = Backoff::new(self.env.clone());
        loop {
            match self.listen().await {
                Ok(ears) => {
                    self.board.put_up_missed();
                    let since = Instant::now();
                    let why = self.serve(ears).await;
                    tracing::warn!(
                        why,
                        channel = %self.channel,
                        "notifications from the database stopped; listening anew"
                    );
                    if since.elapsed() > SELF_CHECK * 2 {
                        backoff.reset();
                    }
                }
                Err(fault) => {
                    let error = &fault as &dyn std::error::Error;
                    tracing::warn!(
                        error,
                        "cannot listen for notifications from the database; trying again"
                    );
                }
            }
            self.state.is_deaf.store(true, Ordering::Relaxed);
            backoff.wait().await;
        }
    }

    async fn listen(&self) -> Result<Ears, Fault> {
        let own = format!("{SELF}{:032x}", self.env.next_id());
        let heard_itself = Arc::<AtomicBool>::default();
        let (board, awaited, heard) = (self.board.clone(), own.clone(), Arc::clone(&heard_itself));
        let line = self
            .connector
            .connect(Some(Box::new(move |text| {
                if text == awaited {
                    heard.store(true, Ordering::Relaxed);
                } else {
                    board.put_up(text);
                }
            })))
            .await?;
        timeout(SELF_CHECK, line.client.batch_execute(&self.listening()))
            .await
            .map_err(|_| Fault::TooSlow)??;
        Ok(Ears {
            line,
            own,
            heard_itself,
            awaits_itself: false,
        })
    }

    fn listening(&self) -> String {
        // The channel's name needs no quotes: the session checked the schema's.
        format!("LISTEN {}", self.channel)
    }

    /// Waits until the connection ends or is deaf; says which.
    async fn serve(&self, mut ears: Ears) -> &'static str {
        loop {
            if let Err(why) = self.check(&mut ears).await {
                return why;
            }
            tokio::select! {
                () = ears.line.ended() => return ENDED,
                () = tokio::time::sleep(SELF_CHECK) => {}
            }
        }
    }

    /// Whether the connection still hears what it was to hear since the last check; then says the next word.
    async fn check(&self, ears: &mut Ears) -> Result<(), &'static str> {
        if ears.heard_itself.swap(false, Ordering::Relaxed) {
            self.state.is_deaf.store(false, Ordering::Relaxed);
        } else if ears.awaits_itself {
            return Err(
                "it does not hear what this brain says to itself; if its URL leads to PgBouncer, `listen_url` must name the server itself",
            );
        }
        // Once more changes nothing, and whoever looks at the server's sessions sees what this one is for.
        let listen = self.listening();
        match timeout(SELF_CHECK, ears.line.client.batch_execute(&listen)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(ENDED),
            Err(_) => return Err("the server does not answer"),
        }
        // A pool that has nobody to send with has its own troubles, and says nothing of these ears.
        let said = timeout(SELF_CHECK, self.say(&ears.own)).await;
        ears.awaits_itself = matches!(said, Ok(Ok(())));
        Ok(())
    }

    /// Through another connection, as other brains do: PgBouncer passes on what the listening session itself says, and nothing
    /// of what others say.
    async fn say(&self, own: &str) -> Result<(), Fault> {
        // Our own text, and the channel needs no quotes.
        let notify = format!("NOTIFY {}, '{own}'", self.channel);
        Lent::run(&self.pool, SELF_CHECK, async |lent| {
            sqlx::raw_sql(AssertSqlSafe(notify))
                .execute(lent.conn()?)
                .await?;
            Ok(())
        })
        .await
    }
}
