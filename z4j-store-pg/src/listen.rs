//! The one connection that waits for notifications, and proves to itself that it hears them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_postgres::Notification;
use tokio_util::sync::CancellationToken;
use z4j_core::env::Env;
use z4j_core::store::Topic;

use crate::connect::{Backoff, Connector, Line};
use crate::fault::Fault;

/// How often the listener notifies itself, and how long it waits to hear it.
const SELF_CHECK: Duration = Duration::from_secs(3);
/// Notifications that may wait for the listener.
const HEARD_WAITING_MAX: usize = 256;
/// Wake-ups that a slow subscriber may be behind before it misses some.
const WAKEUPS_WAITING_MAX: usize = 64;

/// How a topic is written in a notification.
pub(crate) const fn word(topic: Topic) -> Option<&'static str> {
    match topic {
        Topic::Commands => Some("commands"),
        Topic::Agents => Some("agents"),
        _ => None,
    }
}

const TOPICS: [Topic; 2] = [Topic::Commands, Topic::Agents];

/// Hears what other brains, and this one, tell through the database.
pub(crate) struct Listener {
    wakeups: broadcast::Sender<Topic>,
    channel: String,
    state: Arc<State>,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    /// The connection was lost or proved deaf, and is not replaced yet.
    is_deaf: AtomicBool,
}

impl Listener {
    /// Starts the task that keeps the connection. It ends with the listener.
    pub(crate) fn start(connector: Connector, schema: Option<&str>, env: Env) -> Self {
        let (wakeups, _) = broadcast::channel(WAKEUPS_WAITING_MAX);
        let listener = Self {
            wakeups,
            channel: channel(schema),
            state: Arc::new(State::default()),
            stop: CancellationToken::new(),
        };
        let task = Task {
            connector,
            env,
            wakeups: listener.wakeups.clone(),
            channel: listener.channel.clone(),
            state: Arc::clone(&listener.state),
        };
        let stop = listener.stop.clone();
        tokio::spawn(async move {
            stop.run_until_cancelled(task.run()).await;
        });
        listener
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Topic> {
        self.wakeups.subscribe()
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

/// Channels belong to the whole database, schemas share it.
fn channel(schema: Option<&str>) -> String {
    schema.map_or_else(|| "z4j".to_owned(), |schema| format!("z4j_{schema}"))
}

struct Task {
    connector: Connector,
    env: Env,
    wakeups: broadcast::Sender<Topic>,
    channel: String,
    state: Arc<State>,
}

impl Task {
    async fn run(self) {
        let mut backoff = Backoff::new(self.env.clone());
        loop {
            let heard_for = match self.listen().await {
                Ok((line, heard)) => {
                    self.state.is_deaf.store(false, Ordering::Relaxed);
                    // What was told while nobody listened is not told again.
                    self.wake_all();
                    let since = Instant::now();
                    let why = self.serve(&line, heard).await;
                    tracing::warn!(why, channel = %self.channel, "notifications from the database stopped; listening anew");
                    since.elapsed()
                }
                Err(fault) => {
                    let error = &fault as &dyn std::error::Error;
                    tracing::warn!(
                        error,
                        "cannot listen for notifications from the database; trying again"
                    );
                    Duration::ZERO
                }
            };
            self.state.is_deaf.store(true, Ordering::Relaxed);
            if heard_for > SELF_CHECK * 2 {
                backoff.reset();
            }
            backoff.wait().await;
        }
    }

    async fn listen(&self) -> Result<(Line, mpsc::Receiver<Notification>), Fault> {
        let (sender, heard) = mpsc::channel(HEARD_WAITING_MAX);
        let line = self.connector.connect(Some(sender)).await?;
        // The channel's name needs no quotes: the session checked the schema's.
        let listen = format!("LISTEN {}", self.channel);
        timeout(SELF_CHECK, line.client.batch_execute(&listen))
            .await
            .map_err(|_| Fault::TooSlow)??;
        Ok((line, heard))
    }

    /// Hands on what is heard, until the connection ends or is deaf; says which.
    async fn serve(&self, line: &Line, mut heard: mpsc::Receiver<Notification>) -> &'static str {
        let own = format!("self:{:032x}", self.env.next_id());
        let notify = format!("NOTIFY {}, '{own}'", self.channel);
        let mut check = interval(SELF_CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_awaited = false;
        loop {
            tokio::select! {
                biased;
                notification = heard.recv() => match notification {
                    None => return "the connection ended",
                    Some(notification) if notification.payload() == own => is_awaited = false,
                    Some(notification) => self.hand_on(notification.payload()),
                },
                _ = check.tick() => {
                    if is_awaited {
                        return "it does not hear itself: behind PgBouncer, `listen_url` must name the server itself";
                    }
                    match timeout(SELF_CHECK, line.client.batch_execute(&notify)).await {
                        Ok(Ok(())) => is_awaited = true,
                        Ok(Err(_)) => return "the connection ended",
                        Err(_) => return "the server does not answer",
                    }
                }
            }
        }
    }

    fn hand_on(&self, payload: &str) {
        for topic in TOPICS {
            if word(topic) == Some(payload) {
                // No receiver is no fault: a wake-up is a hint.
                let _ = self.wakeups.send(topic);
            }
        }
    }

    fn wake_all(&self) {
        for topic in TOPICS {
            let _ = self.wakeups.send(topic);
        }
    }
}
