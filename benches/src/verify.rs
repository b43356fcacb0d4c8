//! How fast frames are verified, decoded and redacted on one core, which part bounds that, and whether hostile text
//! costs more per byte when there is more of it.
//!
//! All times are CPU times of one thread. Each part is measured alone, over all frames; what the whole path costs
//! beyond its parts is decoding, and the caches that one part takes from the next.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use z4j_core::env::Env;
use z4j_core::keys::SecretKey;
use z4j_core::redact::{DefaultRedactor, Raw, redact_json};
use z4j_core::time::Timestamp;
use z4j_core::wire::{
    Frame, FrameType, RawJson, Received, SessionBinding, Signer, Verifier, frame_mac, signed_bytes,
};

use crate::cpu_time::CpuTimer;
use crate::events::{BenchEvent, lifecycle};
use crate::report::Report;

/// Each part is measured this often; the best run says what the code can do, the others what else ran.
const RUNS: usize = 7;
const HOSTILE: [(&str, &str); 6] = [
    ("half a JWT", "eyJa.eyJa-"),
    ("half an address", "a.b+c@d-e.f."),
    ("half a URL", "redis://a:b:"),
    ("half a header", "Bearer  "),
    ("base64 of nothing", "aGVsbG8gd29ybGQs"),
    ("not ASCII", "h\u{e9}llo \u{2603} \u{438} "),
];

/// What the parts took, and all of them together.
#[derive(Clone, Copy, Debug)]
struct Spent {
    /// Reading the frame and writing its canonical form.
    canonical: Duration,
    /// That, the MAC over it, and the guard against replays.
    verify: Duration,
    redact: Duration,
    whole: Duration,
}

impl Spent {
    /// Each part, and its share of the whole.
    fn shares(self) -> [(&'static str, f64); 4] {
        let share = |time: Duration| time.as_secs_f64() / self.whole.as_secs_f64();
        [
            ("the canonical form", share(self.canonical)),
            (
                "the MAC and the replay guard",
                share(self.verify.saturating_sub(self.canonical)),
            ),
            ("redaction", share(self.redact)),
            (
                "decoding and cold caches",
                share(self.whole.saturating_sub(self.verify + self.redact)),
            ),
        ]
    }
}

/// Measures frames of 200 events and of one, as we and as others spell them, then hostile text.
pub(crate) fn run() -> anyhow::Result<Report> {
    let mut report = Report::new("verify");
    for (per_frame, count) in [(200, 150), (1, 20_000)] {
        let frames = signed(per_frame, count)?;
        add(
            &mut report,
            &format!("{per_frame} events per frame"),
            &frames,
        )?;
        let frames = spelled_otherwise(per_frame, count)?;
        add(
            &mut report,
            &format!("{per_frame}, members not sorted"),
            &frames,
        )?;
    }
    for (name, part) in HOSTILE {
        let (small, large) = (hostile_rate(part, 8 << 10)?, hostile_rate(part, 1 << 20)?);
        report.line(
            format!("redact {name}"),
            &[("mb_per_s_8_kib", small), ("mb_per_s_1_mib", large)],
        );
    }
    report.note("MB per second of CPU time of one core.");
    Ok(report)
}

fn add(report: &mut Report, name: &str, frames: &[Vec<u8>]) -> anyhow::Result<()> {
    let bytes: usize = frames.iter().map(Vec::len).sum();
    let spent = measure(frames)?;
    let rate = |time: Duration| megabytes(bytes) / time.as_secs_f64();
    let [canonical, mac, redact, other] = spent.shares();
    report.line(
        format!("{name}, {} bytes", bytes / frames.len()),
        &[
            ("mb_per_s", rate(spent.whole)),
            ("verify_mb_per_s", rate(spent.verify)),
            ("redact_mb_per_s", rate(spent.redact)),
            ("canonical_percent", 100.0 * canonical.1),
            ("mac_percent", 100.0 * mac.1),
            ("redact_percent", 100.0 * redact.1),
            ("other_percent", 100.0 * other.1),
            ("judged_percent", judged_percent(frames)?),
        ],
    );
    let largest = spent
        .shares()
        .into_iter()
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let (part, share) = largest.context("there are parts")?;
    report.note(format!(
        "{name}: {part} bounds it, with {:.0} % of the time.",
        100.0 * share
    ));
    Ok(())
}

fn binding() -> SessionBinding {
    SessionBinding {
        agent_id: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee".to_owned(),
        project_id: "11111111-2222-4333-8444-555555555555".to_owned(),
        session_id: "99999999-8888-4777-8666-555555555555".to_owned(),
    }
}

fn key() -> SecretKey {
    SecretKey::from_bytes(vec![7; 32])
}

fn signed(per_frame: usize, frames: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let env = Env::system();
    let mut signer = Signer::new(&key(), binding(), env.clone());
    let tasks = u64::try_from(per_frame * frames / 3 + 1)?;
    let events = lifecycle(1, tasks, env.now());
    events
        .chunks(per_frame)
        .take(frames)
        .enumerate()
        .map(|(index, chunk)| {
            let payload = payload(chunk);
            let id = format!("ev_{index:032x}");
            Ok(signer.sign_json(FrameType::EventBatch, &id, payload.as_bytes())?)
        })
        .collect()
}

/// The same frames in the order of members that Python agents have, so that the canonical form has to be made.
fn spelled_otherwise(per_frame: usize, frames: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let now = Env::system().now();
    let tasks = u64::try_from(per_frame * frames / 3 + 1)?;
    let events = lifecycle(1, tasks, now);
    events
        .chunks(per_frame)
        .take(frames)
        .enumerate()
        .map(|(index, chunk)| {
            let frame = |mac: &str| unsorted(index, now, mac, &payload(chunk));
            let mac = frame_mac(frame("").as_bytes(), &key(), &binding())?;
            Ok(frame(&mac).into_bytes())
        })
        .collect()
}

fn unsorted(index: usize, now: Timestamp, mac: &str, payload: &str) -> String {
    let seq = index + 1;
    format!(
        r#"{{"v":2,"id":"ev_{index:032x}","ts":"{now}","nonce":"{seq:022}","seq":{seq},"hmac":"{mac}","type":"event_batch","payload":{payload}}}"#
    )
}

fn payload(events: &[BenchEvent]) -> String {
    let mut payload = String::from(r#"{"events":["#);
    for (at, event) in events.iter().enumerate() {
        if at > 0 {
            payload.push(',');
        }
        event.write(&mut payload);
    }
    payload.push_str("]}");
    payload
}

fn verifier() -> Verifier {
    Verifier::new(&key(), binding())
}

/// The best of several runs of each part, in turn, so that a slow moment of the machine meets all of them.
fn measure(frames: &[Vec<u8>]) -> anyhow::Result<Spent> {
    let data = datas(frames)?;
    let mut best = Spent {
        canonical: Duration::MAX,
        verify: Duration::MAX,
        redact: Duration::MAX,
        whole: Duration::MAX,
    };
    for _ in 0..RUNS {
        best.canonical = best.canonical.min(timed(|| canonical(frames))?);
        best.verify = best.verify.min(timed(|| verify(frames))?);
        best.redact = best.redact.min(timed(|| redact(&data))?);
        best.whole = best.whole.min(timed(|| whole(frames))?);
    }
    Ok(best)
}

fn timed(part: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let timer = CpuTimer::start();
    part()?;
    Ok(timer.stop())
}

fn canonical(frames: &[Vec<u8>]) -> anyhow::Result<()> {
    let binding = binding();
    for frame in frames {
        black_box(signed_bytes(frame, &binding)?);
    }
    Ok(())
}

fn verify(frames: &[Vec<u8>]) -> anyhow::Result<()> {
    let (env, mut verifier) = (Env::system(), verifier());
    for frame in frames {
        black_box(verifier.verify(frame, Received::now(&env))?);
    }
    Ok(())
}

fn redact(data: &[RawJson<'_>]) -> anyhow::Result<()> {
    let redactor = DefaultRedactor::strict();
    for data in data {
        let kept = redact_json(&redactor, "", Raw::new(*data));
        ensure!(!kept.get().is_empty(), "a payload vanished");
    }
    Ok(())
}

/// What a brain does with each frame before it queues the events.
fn whole(frames: &[Vec<u8>]) -> anyhow::Result<()> {
    let (env, mut verifier) = (Env::system(), verifier());
    let redactor = DefaultRedactor::strict();
    for frame in frames {
        let verified = verifier.verify(frame, Received::now(&env))?;
        let Frame::EventBatch(batch) = verified.decode()? else {
            bail!("a batch was signed and something else came back");
        };
        for event in batch.events() {
            let kept = redact_json(&redactor, "", Raw::new(event.data));
            ensure!(!kept.get().is_empty(), "a payload vanished");
        }
    }
    Ok(())
}

/// The `data` of every event.
fn datas(frames: &[Vec<u8>]) -> anyhow::Result<Vec<RawJson<'_>>> {
    let (env, mut verifier) = (Env::system(), verifier());
    let mut all = Vec::new();
    for frame in frames {
        let Frame::EventBatch(batch) = verifier.verify(frame, Received::now(&env))?.decode()?
        else {
            bail!("a batch was signed and something else came back");
        };
        all.extend(batch.events().map(|event| event.data));
    }
    Ok(all)
}

/// How much of the data the rules are asked about one value at a time.
fn judged_percent(frames: &[Vec<u8>]) -> anyhow::Result<f64> {
    let (mut judged, mut all) = (0, 0);
    for data in datas(frames)? {
        judged += DefaultRedactor::strict()
            .survey_counted(data.as_str())
            .1
            .judged_bytes;
        all += data.as_str().len();
    }
    Ok(100.0 * megabytes(judged) / megabytes(all))
}

fn hostile_rate(part: &str, bytes: usize) -> anyhow::Result<f64> {
    let json = serde_json::to_string(&part.repeat(1 + bytes / part.len()))?;
    let data = RawJson::parse(&json)?;
    let redactor = DefaultRedactor::strict();
    let rounds = 1 + 8_000_000 / json.len();
    let timer = CpuTimer::start();
    for _ in 0..rounds {
        black_box(redact_json(&redactor, "", Raw::new(data)));
    }
    Ok(megabytes(rounds * json.len()) / timer.stop().as_secs_f64())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "byte counts of a bench are far below 2^52"
)]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
