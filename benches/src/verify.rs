//! How fast frames are verified, decoded and redacted on one core, and whether hostile text costs more per byte when
//! there is more of it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use z4j_core::env::Env;
use z4j_core::keys::SecretKey;
use z4j_core::redact::{DefaultRedactor, Raw, redact_json};
use z4j_core::wire::{Frame, FrameType, RawJson, Received, SessionBinding, Signer, Verifier};

use crate::events::lifecycle;
use crate::report::Report;

/// Each shape is measured this often; the best run says what the code can do, the others what else ran.
const RUNS: usize = 5;
const HOSTILE: [(&str, &str); 5] = [
    ("half a JWT", "eyJa.eyJa-"),
    ("half an address", "a.b+c@d-e.f."),
    ("half a URL", "redis://a:b:"),
    ("half a header", "Bearer  "),
    ("not ASCII", "h\u{e9}llo \u{2603} \u{438} "),
];

/// What the stages took.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    verify: Duration,
    decode: Duration,
    redact: Duration,
}

impl Spent {
    fn total(self) -> Duration {
        self.verify + self.decode + self.redact
    }
}

/// Measures frames of 200 events and of one, then hostile text.
pub(crate) fn run() -> anyhow::Result<Report> {
    let mut report = Report::new("verify");
    for (per_frame, frames) in [(200, 150), (1, 6_000)] {
        let frames = signed(per_frame, frames)?;
        let bytes: usize = frames.iter().map(Vec::len).sum();
        let mut best: Option<Spent> = None;
        for _ in 0..RUNS {
            let spent = pass(&frames)?;
            if best.is_none_or(|best| spent.total() < best.total()) {
                best = Some(spent);
            }
        }
        let best = best.context("nothing was measured")?;
        let rate = |time: Duration| megabytes(bytes) / time.as_secs_f64();
        report.line(
            format!(
                "{per_frame} events per frame, {} bytes",
                bytes / frames.len()
            ),
            &[
                ("mb_per_s", rate(best.total())),
                ("verify_mb_per_s", rate(best.verify)),
                ("decode_mb_per_s", rate(best.decode)),
                ("redact_mb_per_s", rate(best.redact)),
            ],
        );
    }
    for (name, part) in HOSTILE {
        let (small, large) = (hostile_rate(part, 8 << 10)?, hostile_rate(part, 1 << 20)?);
        report.line(
            format!("redact {name}"),
            &[("mb_per_s_8_kib", small), ("mb_per_s_1_mib", large)],
        );
    }
    Ok(report)
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
            let mut payload = String::from(r#"{"events":["#);
            for (at, event) in chunk.iter().enumerate() {
                if at > 0 {
                    payload.push(',');
                }
                event.write(&mut payload);
            }
            payload.push_str("]}");
            Ok(signer.sign_json(
                FrameType::EventBatch,
                &format!("ev_{index:032x}"),
                payload.as_bytes(),
            )?)
        })
        .collect()
}

fn pass(frames: &[Vec<u8>]) -> anyhow::Result<Spent> {
    let env = Env::system();
    let redactor = DefaultRedactor::strict();
    let mut verifier = Verifier::new(&key(), binding());
    let mut spent = Spent::default();
    for frame in frames {
        let start = Instant::now();
        let verified = verifier.verify(frame, Received::now(&env))?;
        let after_verify = Instant::now();
        let Frame::EventBatch(batch) = verified.decode()? else {
            bail!("a batch was signed and something else came back");
        };
        let after_decode = Instant::now();
        for event in batch.events() {
            let kept = redact_json(&redactor, "", Raw::new(event.data));
            ensure!(!kept.get().is_empty(), "a payload vanished");
        }
        spent.verify += after_verify - start;
        spent.decode += after_decode - after_verify;
        spent.redact += after_decode.elapsed();
    }
    Ok(spent)
}

fn hostile_rate(part: &str, bytes: usize) -> anyhow::Result<f64> {
    let json = serde_json::to_string(&part.repeat(1 + bytes / part.len()))?;
    let data = RawJson::parse(&json)?;
    let redactor = DefaultRedactor::strict();
    let rounds = 1 + 8_000_000 / json.len();
    let start = Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(redact_json(&redactor, "", Raw::new(data)));
    }
    Ok(megabytes(rounds * json.len()) / start.elapsed().as_secs_f64())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "byte counts of a bench are far below 2^52"
)]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
