//! Counters, gauges and histograms of one brain. Nothing global: two brains in one process count apart.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use z4j_core::task::TaskState;

/// Bounds of the batch size histogram, in events.
const BATCH_BOUNDS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 2000.0];
/// Bounds of the latency histograms, in seconds.
const SECONDS_BOUNDS: [f64; 11] = [
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];
const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// Counters, gauges and histograms of one brain.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// Events that were stored.
    pub(crate) events_ingested: Counter,
    /// Events that were stored before.
    pub(crate) events_duplicate: Counter,
    /// Events that went to the quarantine.
    pub(crate) events_quarantined: Counter,
    events_second_hand: Counter,
    /// Events in a commit.
    pub(crate) commit_events: Histogram,
    /// From reading a frame to handing its ack to the socket.
    pub(crate) ack_seconds: Histogram,
    agents_online: Gauge,
    links_open: Gauge,
    replicas: Gauge,
    lease_held: Gauge,
}

impl Metrics {
    /// All at zero.
    pub(crate) fn new() -> Self {
        let recorder = builder().build_recorder();
        describe(&recorder);
        let counter =
            |name: &'static str| recorder.register_counter(&Key::from_name(name), &METADATA);
        let gauge = |name: &'static str| recorder.register_gauge(&Key::from_name(name), &METADATA);
        let histogram =
            |name: &'static str| recorder.register_histogram(&Key::from_name(name), &METADATA);
        Self {
            handle: recorder.handle(),
            events_ingested: counter("z4j_events_ingested_total"),
            events_duplicate: counter("z4j_events_duplicate_total"),
            events_quarantined: counter("z4j_events_quarantined_total"),
            events_second_hand: counter("z4j_events_second_hand_total"),
            commit_events: histogram("z4j_commit_events"),
            ack_seconds: histogram("z4j_ack_seconds"),
            agents_online: gauge("z4j_agents_online"),
            links_open: gauge("z4j_ws_connections"),
            replicas: gauge("z4j_replicas"),
            lease_held: gauge("z4j_upkeep_lease_held"),
            recorder,
        }
    }

    /// Something that an agent sent was refused, for this reason of a fixed list.
    pub(crate) fn refused(&self, code: &'static str) {
        self.labelled("z4j_agent_refused_total", "code", code)
            .increment(1);
    }

    /// Events were left to the agents that saw them happen.
    pub(crate) fn second_hand(&self, count: usize) {
        self.events_second_hand
            .increment(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// A task reached a state.
    pub(crate) fn task_reached(&self, state: TaskState) {
        self.labelled("z4j_tasks_total", "state", state.as_str())
            .increment(1);
    }

    /// Agents declared that so much was lost, of a kind of a fixed list.
    pub(crate) fn lost(&self, kind: &'static str, count: u64) {
        self.labelled("z4j_agent_lost_total", "kind", kind)
            .increment(count);
    }

    /// A command ended in a state.
    pub(crate) fn command_settled(&self, status: &'static str) {
        self.labelled("z4j_commands_total", "status", status)
            .increment(1);
    }

    /// The store failed, in a way of a fixed list.
    pub(crate) fn store_fault(&self, kind: &'static str) {
        self.labelled("z4j_store_faults_total", "kind", kind)
            .increment(1);
    }

    /// An announcement between brains was `sent`, `heard` or `missed`.
    pub(crate) fn announcements(&self, what: &'static str) {
        self.labelled("z4j_announcements_total", "outcome", what)
            .increment(1);
    }

    /// So many brains share the store, this one included.
    pub(crate) fn replicas(&self, count: usize) {
        self.replicas.set(gauge_value(count));
    }

    /// Whether this brain does what one does for all.
    pub(crate) fn lease_held(&self, is_held: bool) {
        self.lease_held.set(if is_held { 1.0 } else { 0.0 });
    }

    /// Everything as text for a scraper.
    pub(crate) fn render(&self, agents_online: usize, links_open: usize) -> String {
        self.agents_online.set(gauge_value(agents_online));
        self.links_open.set(gauge_value(links_open));
        self.handle.render()
    }

    /// Moves what histograms gathered into their buckets; to be called now and then.
    pub(crate) fn tidy(&self) {
        self.handle.run_upkeep();
    }

    fn labelled(&self, name: &'static str, label: &'static str, value: &'static str) -> Counter {
        let key = Key::from_parts(name, vec![Label::from_static_parts(label, value)]);
        self.recorder.register_counter(&key, &METADATA)
    }
}

fn builder() -> PrometheusBuilder {
    let plain = PrometheusBuilder::new;
    plain()
        .set_buckets_for_metric(full("z4j_commit_events"), &BATCH_BOUNDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(full("z4j_ack_seconds"), &SECONDS_BOUNDS)
        })
        // Only an empty list of bounds is refused; without bounds the histograms become summaries.
        .unwrap_or_else(|_| plain())
}

fn full(name: &str) -> metrics_exporter_prometheus::Matcher {
    metrics_exporter_prometheus::Matcher::Full(name.to_owned())
}

fn describe(recorder: &PrometheusRecorder) {
    let counters = [
        ("z4j_events_ingested_total", "Events that were stored."),
        (
            "z4j_events_duplicate_total",
            "Events that were stored before.",
        ),
        (
            "z4j_events_quarantined_total",
            "Events that can never be stored.",
        ),
        (
            "z4j_events_second_hand_total",
            "Events about a worker whose own agent is connected and reports them.",
        ),
        (
            "z4j_tasks_total",
            "Transitions of tasks, by the state reached.",
        ),
        (
            "z4j_agent_refused_total",
            "Frames and events of agents that were refused, by reason.",
        ),
        (
            "z4j_agent_lost_total",
            "What agents declared lost, by kind.",
        ),
        ("z4j_commands_total", "Commands that ended, by how."),
        (
            "z4j_store_faults_total",
            "Writes that the store did not take, by kind of fault.",
        ),
        (
            "z4j_announcements_total",
            "Announcements between brains, by outcome: sent, heard, missed.",
        ),
    ];
    for (name, text) in counters {
        recorder.describe_counter(
            KeyName::from_const_str(name),
            Some(Unit::Count),
            text.into(),
        );
    }
    describe_gauges(recorder);
    let histogram = |name, unit, text: &'static str| {
        recorder.describe_histogram(KeyName::from_const_str(name), Some(unit), text.into());
    };
    histogram("z4j_commit_events", Unit::Count, "Events in one commit.");
    histogram(
        "z4j_ack_seconds",
        Unit::Seconds,
        "From reading a frame to its ack.",
    );
}

fn describe_gauges(recorder: &PrometheusRecorder) {
    for (name, text) in [
        (
            "z4j_agents_online",
            "Agents with an open link to this brain.",
        ),
        ("z4j_ws_connections", "Open links to agents."),
        (
            "z4j_replicas",
            "Brains on this store that beat, this one included.",
        ),
        (
            "z4j_upkeep_lease_held",
            "1 while this brain does the upkeep for all.",
        ),
    ] {
        recorder.describe_gauge(
            KeyName::from_const_str(name),
            Some(Unit::Count),
            text.into(),
        );
    }
}

/// Counts of links are far below what a double holds exactly.
fn gauge_value(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// A duration for a histogram.
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics(..)")
    }
}
