//! One dashboard: connected, cut off, back again.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::BodyDataStream;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::message::{Message, Reader};
use super::shown::Shown;
use super::{DashboardBug, Screen, door};
use crate::sim::brain::{Brains, Page};
use crate::sim::network::BrainNo;
use crate::sim::record::Record;
use crate::sim::{Chance, Situation};

/// Between two tries of what failed, once all is calm.
const RETRY: Duration = Duration::from_millis(500);
/// Rows of a page.
const ROWS: u32 = 500;

/// One dashboard.
pub(super) struct Follower {
    pub(super) number: usize,
    pub(super) screen: Arc<Screen>,
    pub(super) brains: Arc<Brains>,
    pub(super) record: Record,
    pub(super) chance: Chance,
    pub(super) calm: CancellationToken,
    pub(super) bug: Option<DashboardBug>,
    /// The last id that it was given, and by which brain.
    pub(super) seen: Option<(BrainNo, String)>,
}

/// An open stream.
struct Stream {
    brain: BrainNo,
    page: Page,
    body: BodyDataStream,
    reader: Reader,
    /// When it is cut.
    until: Instant,
    /// It goes on where another one ended, and has said nothing yet.
    is_resumed: bool,
}

impl Follower {
    /// Follows until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            if let Some(stream) = self.connect().await {
                self.screen.lock().is_connected = true;
                self.follow(stream).await;
                self.screen.lock().is_connected = false;
            }
            let pause = self.chance.ms(100, 6_000);
            let is_calm = self.calm.is_cancelled();
            sleep(if is_calm { RETRY } else { pause }).await;
        }
    }

    /// Opens the stream at a brain, mostly the one before.
    async fn connect(&mut self) -> Option<Stream> {
        let up = self.brains.up();
        let before = self.seen.as_ref().map(|(brain, _)| *brain);
        let stays = self.chance.happens(700);
        let before = before.filter(|brain| stays && up.contains(brain));
        let brain = before.or_else(|| self.chance.pick(&up).copied())?;
        let page = self.brains.page(brain)?;
        let last_id = self.last_id();
        let asked = door::open(&page.router, &self.screen.slug, last_id.as_deref());
        let body = tokio::select! {
            biased;
            () = page.gone.cancelled() => None,
            body = asked => body,
        };
        let how = last_id.as_deref().unwrap_or("fresh");
        let is_open = body.is_some();
        self.note(format_args!("at b{} {how} {is_open}", brain.0));
        let until = Instant::now() + self.chance.ms(500, 20_000);
        Some(Stream {
            brain,
            page,
            body: body?.into_data_stream(),
            reader: Reader::default(),
            until,
            is_resumed: last_id.is_some(),
        })
    }

    /// Where it says that it was.
    fn last_id(&self) -> Option<String> {
        let (_, id) = self.seen.as_ref()?;
        match self.bug {
            Some(DashboardBug::IdForgotten) => None,
            Some(DashboardBug::ResumedOneLate) => Some(one_later(id)),
            Some(DashboardBug::ResetIgnored) | None => Some(id.clone()),
        }
    }

    /// Reads until the stream ends, or is cut.
    async fn follow(&mut self, mut stream: Stream) {
        loop {
            if self.screen.lock().must_fetch && !self.fetch(&mut stream).await {
                return self.note(format_args!("cut while it fetched"));
            }
            let is_calm = self.calm.is_cancelled();
            let bytes = tokio::select! {
                biased;
                () = stream.page.gone.cancelled() => return self.note(format_args!("lost its brain")),
                () = self.calm.cancelled(), if !is_calm => continue,
                () = sleep_until(stream.until), if !is_calm => return self.note(format_args!("cut")),
                bytes = stream.body.next() => bytes,
            };
            let Some(Ok(bytes)) = bytes else {
                return self.note(format_args!("the stream ended"));
            };
            for message in stream.reader.push(&bytes) {
                self.take(&mut stream, &message);
            }
        }
    }

    fn take(&mut self, stream: &mut Stream, message: &Message) {
        let Message { event, id, .. } = message;
        self.note(format_args!(
            "{event} {}",
            id.as_deref().unwrap_or_default()
        ));
        let is_reset = event == "reset";
        if is_reset {
            self.record.meet(Situation::LiveReset);
        } else if stream.is_resumed {
            self.record.meet(Situation::LiveResumed);
        }
        stream.is_resumed = false;
        let is_first = self.seen.is_none();
        if let Some(id) = id {
            self.seen = Some((stream.brain, id.clone()));
        }
        let mut now = self.screen.lock();
        now.must_fetch |= match event.as_str() {
            "ready" => is_first,
            "reset" => self.bug != Some(DashboardBug::ResetIgnored),
            _ => !now.shown.fold(message),
        };
    }

    /// Fetches all that it shows; false when the connection is lost before.
    async fn fetch(&self, stream: &mut Stream) -> bool {
        loop {
            let fetched = async {
                let shown = fetch(&stream.page.router, &self.screen.slug).await;
                if shown.is_none() {
                    sleep(RETRY).await;
                }
                shown
            };
            let is_calm = self.calm.is_cancelled();
            let shown = tokio::select! {
                biased;
                () = stream.page.gone.cancelled() => return false,
                () = sleep_until(stream.until), if !is_calm => return false,
                shown = fetched => shown,
            };
            if let Some(shown) = shown {
                let (tasks, commands) = (shown.tasks.len(), shown.commands.len());
                self.note(format_args!("fetched {tasks} tasks {commands} commands"));
                let mut now = self.screen.lock();
                now.shown = shown;
                now.must_fetch = false;
                return true;
            }
        }
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        self.record
            .note(format_args!("dashboard {} {what}", self.number));
    }
}

/// Everything that a dashboard shows; `None` when a part of it cannot be had.
async fn fetch(router: &Router, slug: &str) -> Option<Shown> {
    let mut shown = Shown::default();
    for list in ["tasks", "commands"] {
        let mut cursor = String::new();
        loop {
            let path = format!("{list}?limit={ROWS}{cursor}");
            let page = door::read(router, slug, &path).await?;
            let is_read = match list {
                "tasks" => shown.put_tasks(&page),
                _ => shown.put_commands(&page),
            };
            if !is_read {
                return None;
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
    }
    let stats = door::read(router, slug, "stats").await?;
    shown.put_states(&stats).then_some(shown)
}

/// The id of the change after that of `id`.
fn one_later(id: &str) -> String {
    let parts = id.split_once('-');
    let next = parts.and_then(|(hub, number)| Some((hub, number.parse::<u64>().ok()? + 1)));
    next.map_or_else(|| id.to_owned(), |(hub, number)| format!("{hub}-{number}"))
}
