//! The loop around the driver: sockets, tasks and time.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use z4j_core::env::Env;
use z4j_core::transport::{
    CloseReason, Endpoint, FrameSink, FrameSource, Link, Transport, TransportError,
    TransportErrorKind,
};

use crate::commands::JobOutcome;
use crate::driver::{AgentState, Driver};
use crate::health::Health;
use crate::jobs::Toolbox;
use crate::pump::{Captured, Pump};

/// Events between the pumps and the loop; the loop never waits for anything else, so they do not wait there for long.
const CAPTURED_WAITING_MAX: usize = 1_024;
/// Events taken from the pumps at once.
const CAPTURED_AT_ONCE: usize = 256;
/// A frame that the link does not take for so long means that the link is dead.
const SEND_WAIT: Duration = Duration::from_secs(60);
/// How long a close may take.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

type Sink = Box<dyn FrameSink>;
type Sending = Pin<Box<dyn Future<Output = (Sink, Result<(), TransportError>)> + Send>>;

/// Everything that the loop needs.
#[derive(Debug)]
pub(crate) struct Runtime {
    pub(crate) env: Env,
    pub(crate) driver: Driver,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) endpoint: Endpoint,
    pub(crate) toolbox: Toolbox,
    pub(crate) stop: watch::Receiver<Option<Duration>>,
    pub(crate) state: watch::Sender<AgentState>,
}

/// The link as the loop holds it.
struct OpenLink {
    source: Box<dyn FrameSource>,
    outlet: Outlet,
}

/// The sink rests, or travels with the frame that is being sent.
enum Outlet {
    Idle(Sink),
    Sending(Sending),
    /// Only while it changes from one to the other.
    Moving,
}

enum Input {
    Stop(Duration),
    Dialled(Result<Link, TransportError>),
    Sent(Result<(), TransportError>),
    Frame(Result<Option<Bytes>, TransportError>),
    JobDone(Option<(String, JobOutcome)>),
    Health(Health),
    Captured(usize),
    Woken,
}

impl Runtime {
    pub(crate) async fn run(mut self) {
        let pumps_stop = CancellationToken::new();
        let (out, mut captured) = mpsc::channel(CAPTURED_WAITING_MAX);
        let mut pumps = self.start_pumps(out, &pumps_stop);
        let mut tasks = Tasks::default();
        let mut link: Option<OpenLink> = None;
        let mut events = Vec::with_capacity(CAPTURED_AT_ONCE);
        while !self.act(&mut link, &mut tasks) {
            match self
                .next_input(&mut link, &mut tasks, &mut captured, &mut events)
                .await
            {
                Input::Stop(deadline) => {
                    pumps_stop.cancel();
                    self.driver.stop(deadline);
                }
                Input::Dialled(Ok(opened)) => {
                    link = Some(OpenLink {
                        source: opened.source,
                        outlet: Outlet::Idle(opened.sink),
                    });
                    self.driver.link_opened();
                }
                Input::Dialled(Err(error)) => self.driver.link_failed(&error),
                Input::Sent(Ok(())) => self.driver.frame_sent(),
                Input::Frame(Ok(Some(frame))) => self.driver.frame_received(&frame),
                Input::Frame(Ok(None)) => {
                    link = None;
                    self.driver.link_ended();
                }
                Input::Sent(Err(error)) | Input::Frame(Err(error)) => {
                    link = None;
                    self.driver.link_failed(&error);
                }
                Input::JobDone(Some((key, outcome))) => self.driver.job_finished(&key, &outcome),
                Input::Health(health) => self.driver.health_taken(health),
                Input::Captured(0) => self.driver.captures_ended(),
                Input::Captured(_) => self.take_captured(&mut events),
                Input::JobDone(None) | Input::Woken => {}
            }
        }
        pumps_stop.cancel();
        pumps.abort_all();
        while tasks.closing.join_next().await.is_some() {}
    }

    fn start_pumps(&self, out: mpsc::Sender<Captured>, stop: &CancellationToken) -> JoinSet<()> {
        let mut pumps = JoinSet::new();
        for (name, engine) in self.toolbox.engines.iter() {
            let pump = Pump {
                engine: Arc::clone(engine),
                name: name.as_str().into(),
                env: self.env.clone(),
                scrubber: self.toolbox.scrubber.clone(),
                out: out.clone(),
                stop: stop.clone(),
            };
            pumps.spawn(pump.run());
        }
        pumps
    }

    /// Does what the driver wants done; says whether all is over.
    fn act(&mut self, link: &mut Option<OpenLink>, tasks: &mut Tasks) -> bool {
        if let Some(reason) = self.driver.take_close()
            && let Some(open) = link.take()
        {
            tasks.closing.spawn(close(open, reason));
        }
        for job in self.driver.take_jobs() {
            tasks.jobs.spawn(self.toolbox.clone().run(job));
        }
        if self.driver.take_health_request() {
            tasks.health.spawn(self.toolbox.clone().ask_health());
        }
        if self.driver.dial_now() {
            let (transport, endpoint) = (Arc::clone(&self.transport), self.endpoint.clone());
            tasks
                .dials
                .spawn(async move { transport.dial(&endpoint).await });
        }
        if let Some(open) = link
            && matches!(open.outlet, Outlet::Idle(_))
            && let Some(frame) = self.driver.next_frame()
        {
            open.outlet = match std::mem::replace(&mut open.outlet, Outlet::Moving) {
                Outlet::Idle(sink) => Outlet::Sending(send(sink, frame)),
                other => other,
            };
        }
        let state = self.driver.state();
        self.state
            .send_if_modified(|known| std::mem::replace(known, state) != state);
        self.driver.is_stopped()
    }

    async fn next_input(
        &mut self,
        link: &mut Option<OpenLink>,
        tasks: &mut Tasks,
        captured: &mut mpsc::Receiver<Captured>,
        events: &mut Vec<Captured>,
    ) -> Input {
        let reads = self.driver.wants_frames();
        let takes = !self.driver.has_ended_captures();
        let wake_after = self
            .driver
            .wake_at()
            .map(|at| at.saturating_sub(self.env.elapsed()));
        let env = &self.env;
        let (source, outlet) = link
            .as_mut()
            .map(|open| (&mut open.source, &mut open.outlet))
            .unzip();
        tokio::select! {
            biased;
            deadline = stopped(&mut self.stop, env), if !self.driver.is_stopping() => Input::Stop(deadline),
            Some(dialled) = tasks.dials.join_next() => Input::Dialled(dialled.unwrap_or_else(|_| Err(lost_dial()))),
            sent = sent(outlet) => Input::Sent(sent),
            frame = received(source), if reads => Input::Frame(frame),
            Some(done) = tasks.jobs.join_next() => Input::JobDone(done.ok()),
            Some(health) = tasks.health.join_next() => Input::Health(health.unwrap_or_default()),
            Some(_) = tasks.closing.join_next() => Input::Woken,
            taken = captured.recv_many(events, CAPTURED_AT_ONCE), if takes => Input::Captured(taken),
            () = sleep(wake_after) => Input::Woken,
        }
    }

    fn take_captured(&mut self, events: &mut Vec<Captured>) {
        for event in events.drain(..) {
            match event {
                Captured::Event(event) => self.driver.captured(event),
                Captured::Rejected => self.driver.rejected(),
                Captured::Lost(engine, lost) => self.driver.lost_by_engine(&engine, lost),
            }
        }
    }
}

/// What runs beside the loop. Dropping it stops all of it.
#[derive(Debug, Default)]
struct Tasks {
    dials: JoinSet<Result<Link, TransportError>>,
    jobs: JoinSet<(String, JobOutcome)>,
    health: JoinSet<Health>,
    closing: JoinSet<()>,
}

fn lost_dial() -> TransportError {
    TransportError::new(TransportErrorKind::Unreachable).with_source("the transport panicked")
}

fn send(mut sink: Sink, frame: Bytes) -> Sending {
    Box::pin(async move {
        let sent = match tokio::time::timeout(SEND_WAIT, sink.send(frame)).await {
            Ok(sent) => sent,
            Err(elapsed) => {
                Err(TransportError::new(TransportErrorKind::Unreachable).with_source(elapsed))
            }
        };
        (sink, sent)
    })
}

/// Says why, then reads until the other end is gone too: closing with unread data would cut our reason off.
async fn close(mut link: OpenLink, reason: CloseReason) {
    let work = async {
        let mut sink = match link.outlet {
            Outlet::Idle(sink) => sink,
            Outlet::Sending(sending) => sending.await.0,
            Outlet::Moving => return,
        };
        if sink.close(reason).await.is_ok() {
            while let Ok(Some(_)) = link.source.recv().await {}
        }
    };
    // A close that takes too long is given up: the link is dropped either way.
    let _in_time = tokio::time::timeout(CLOSE_WAIT, work).await;
}

async fn sent(outlet: Option<&mut Outlet>) -> Result<(), TransportError> {
    match outlet {
        Some(outlet @ Outlet::Sending(_)) => {
            let (sink, result) = match outlet {
                Outlet::Sending(sending) => sending.await,
                Outlet::Idle(_) | Outlet::Moving => std::future::pending().await,
            };
            *outlet = Outlet::Idle(sink);
            result
        }
        _ => std::future::pending().await,
    }
}

async fn received(
    source: Option<&mut Box<dyn FrameSource>>,
) -> Result<Option<Bytes>, TransportError> {
    match source {
        Some(source) => source.recv().await,
        None => std::future::pending().await,
    }
}

/// The deadline of a stop. A handle that was dropped without a word means: stop now.
async fn stopped(stop: &mut watch::Receiver<Option<Duration>>, env: &Env) -> Duration {
    match stop.wait_for(Option::is_some).await {
        Ok(deadline) => deadline.unwrap_or_else(|| env.elapsed()),
        Err(_) => env.elapsed(),
    }
}

async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
