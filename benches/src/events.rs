//! Celery-like events: received, started, then succeeded or (one in twenty) failed with a traceback. About 720 bytes
//! each on the wire in a large frame, as `performance.md` §1 measured the published agent's.

use std::fmt::Write as _;

use z4j_core::time::Timestamp;

/// Names that a shop's workers might have; ten, so that a filter by name keeps a tenth.
const NAMES: [&str; 10] = [
    "shop.orders.confirm",
    "shop.orders.cancel",
    "shop.mail.send_receipt",
    "shop.mail.send_reminder",
    "shop.search.reindex",
    "shop.images.resize",
    "shop.billing.charge",
    "shop.billing.refund",
    "shop.reports.daily",
    "shop.stock.sync",
];

/// One event of a frame.
#[derive(Clone, Debug)]
pub(crate) struct BenchEvent {
    /// The agent's id of it.
    pub(crate) id: uuid::Uuid,
    /// The kind on the wire.
    pub(crate) kind: &'static str,
    /// The task.
    pub(crate) task_id: String,
    /// When.
    pub(crate) at: Timestamp,
    /// The `data` object as JSON text.
    pub(crate) data: String,
}

impl BenchEvent {
    /// Appends the event as it stands in a frame.
    pub(crate) fn write(&self, out: &mut String) {
        let _ = write!(
            out,
            r#"{{"id":"{}","kind":"{}","engine":"celery","task_id":"{}","occurred_at":"{}","data":{}}}"#,
            self.id, self.kind, self.task_id, self.at, self.data
        );
    }
}

/// The events of `tasks` tasks in the order in which a busy worker reports them: the three events of a task lie about
/// 200 events apart. `seed` keeps runs from sharing ids.
#[must_use]
pub(crate) fn lifecycle(seed: u64, tasks: u64, start: Timestamp) -> Vec<BenchEvent> {
    const SPREAD: u64 = 67;
    let mut events = Vec::with_capacity(usize::try_from(tasks * 3).unwrap_or(0));
    for step in 0..tasks + 2 * SPREAD {
        for (phase, lag) in [(0, 0), (1, SPREAD), (2, 2 * SPREAD)] {
            if let Some(task) = step.checked_sub(lag).filter(|task| *task < tasks) {
                events.push(event(seed, task, phase, start));
            }
        }
    }
    events
}

fn event(seed: u64, task: u64, phase: u64, start: Timestamp) -> BenchEvent {
    let task_uuid = uuid::Uuid::from_u64_pair(seed, task.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let id = uuid::Builder::from_random_bytes(mix(seed, task * 3 + phase)).into_uuid();
    let name = NAMES[usize::try_from(task % 10).unwrap_or(0)];
    let failed = task % 20 == 7;
    let (kind, data) = match phase {
        0 => ("task.received", received(name, task)),
        1 => ("task.started", started(name, task)),
        _ if failed => ("task.failed", failure(name, task)),
        _ => ("task.succeeded", success(name, task)),
    };
    let micros = start.as_micros() + i64::try_from(task * 1_000 + phase * 137_000).unwrap_or(0);
    BenchEvent {
        id,
        kind,
        task_id: task_uuid.to_string(),
        at: Timestamp::from_micros(micros),
        data,
    }
}

fn received(name: &str, task: u64) -> String {
    format!(
        r#"{{"task_name":"{name}","queue":"orders","worker":"celery@web-{}","args":[{task},"order-{task}"],"kwargs":{{"customer":{{"id":{task},"mail":"person{task}@example.org","tier":"gold"}},"items":[{{"sku":"A-{task}","count":2,"price":19.5}},{{"sku":"B-{task}","count":1,"price":5.0}},{{"sku":"C-{task}","count":7,"price":0.25}}],"note":"leave at the door, ring twice","attempt":1,"trace":"{:032x}","source":"checkout","locale":"de-DE","currency":"EUR","gift":false}},"root_task_id":"root-{task}","parent_task_id":"parent-{task}","priority":"normal","tags":["orders","checkout"]}}"#,
        task % 4,
        task * 7919
    )
}

fn started(name: &str, task: u64) -> String {
    format!(
        r#"{{"task_name":"{name}","queue":"orders","worker":"celery@web-{}","args":null,"kwargs":null,"priority":"normal","tags":["orders","checkout"],"host":"web-{}.shop.internal","pool":"prefork","child":{},"slot":{},"trace":"{:032x}","sent_from":"checkout-frontend","eta":null,"route":"orders.default","delivery":{{"exchange":"","routing_key":"orders","redelivered":false,"priority":0}},"limits":{{"soft":60,"hard":120}},"labels":{{"team":"fulfilment","cost":"standard","region":"eu-central"}}}}"#,
        task % 4,
        task % 4,
        task % 16,
        task % 8,
        task * 7919
    )
}

fn success(name: &str, task: u64) -> String {
    format!(
        r#"{{"task_name":"{name}","queue":"orders","worker":"celery@web-{}","result":"{{'order': {task}, 'state': 'confirmed', 'lines': 3, 'total': 44.75, 'shipment': {{'carrier': 'parcel', 'label': 'L-{task}', 'weight_g': 1250}}, 'warnings': [], 'next': 'pick', 'warehouse': 'north-2', 'slot': '2026-11-23T10:00', 'stock_after': {{'A': 118, 'B': 4, 'C': 990}}}}","runtime_ms":{},"priority":"normal","tags":["orders","checkout"]}}"#,
        task % 4,
        40 + task % 500
    )
}

fn failure(name: &str, task: u64) -> String {
    let frames = r#"  File \"shop/orders.py\", line 118, in confirm\n    reserve(order)\n  File \"shop/stock.py\", line 57, in reserve\n    raise OutOfStock(sku)\n"#;
    format!(
        r#"{{"task_name":"{name}","queue":"orders","worker":"celery@web-{}","exception":"OutOfStock","exception_message":"nothing left of A-{task}","traceback":"Traceback (most recent call last):\n  File \"celery/app/trace.py\", line 453, in trace_task\n    R = retval = fun(*args, **kwargs)\n{frames}shop.stock.OutOfStock: nothing left of A-{task}","priority":"normal","tags":["orders","checkout"]}}"#,
        task % 4
    )
}

/// Sixteen bytes that differ for every `(a, b)`; spread by the finaliser of SplitMix64.
fn mix(a: u64, b: u64) -> [u8; 16] {
    let spread = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&spread(a.wrapping_add(b)).to_le_bytes());
    bytes[8..].copy_from_slice(&spread(b.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ a).to_le_bytes());
    bytes
}
