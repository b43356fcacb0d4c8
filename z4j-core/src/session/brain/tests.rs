use super::*;
use crate::wire::{CommandAck, Heartbeat, encode_hello};

struct Ends {
    env: Env,
    brain: BrainSession,
    signer: Signer,
}

fn grant() -> Grant {
    Grant::new(
        AgentId::from_u128(1),
        ProjectId::from_u128(2),
        LinkId::from_u128(3),
        SecretKey::from_bytes(vec![7; 32]),
    )
}

fn hello_of(protocol: &str) -> Vec<u8> {
    let mut hello = Hello::new("1.13.0", "bare");
    hello.protocol_version = protocol.to_owned();
    encode_hello("hello_1", &hello).unwrap()
}

fn first_code(frame: &[u8]) -> CloseCode {
    let env = Env::system();
    let mut brain = BrainSession::new(env.elapsed());
    let close = brain.on_frame(frame, Received::now(&env)).unwrap_err();
    assert!(!brain.is_live());
    close.code
}

fn live_ends() -> Ends {
    let env = Env::system();
    let mut brain = BrainSession::new(env.elapsed());
    brain.on_frame(&hello_of("2"), Received::now(&env)).unwrap();
    brain.accept(&grant(), &env).unwrap();
    let signer = Signer::new(&grant().key, grant().binding(), env.clone());
    Ends { env, brain, signer }
}

#[test]
fn bad_first_frames_get_the_codes_of_the_protocol() {
    assert_eq!(first_code(&hello_of("3")), CloseCode::ProtocolVersion);
    assert_eq!(first_code(b"{oops"), CloseCode::BadRequest);
    assert_eq!(
        first_code(br#"{"v":2,"type":"heartbeat","id":"x","payload":{}}"#),
        CloseCode::BadRequest
    );
    let mut envelope_v3 = hello_of("2");
    envelope_v3[5] = b'3';
    assert_eq!(first_code(&envelope_v3), CloseCode::BadRequest);
    assert_eq!(
        first_code(&vec![b' '; limits::FRAME_BYTES_MAX + 1]),
        CloseCode::BadRequest
    );
}

#[test]
fn bad_live_frames_get_the_codes_of_the_protocol() {
    let beat = Heartbeat::default();
    let code = |make: &dyn Fn(&mut Ends) -> Vec<u8>| {
        let mut ends = live_ends();
        let frame = make(&mut ends);
        let received = Received::now(&ends.env);
        let close = ends.brain.on_frame(&frame, received).unwrap_err();
        (close.code.code(), close.reason())
    };
    let sign = |ends: &mut Ends| ends.signer.sign(FrameType::Heartbeat, "hb", &beat).unwrap();
    let swap = |from: &'static str, to: &'static str| {
        move |ends: &mut Ends| {
            let text = String::from_utf8(sign(ends)).unwrap();
            assert!(text.contains(from));
            text.replace(from, to).into_bytes()
        }
    };
    assert_eq!(code(&swap("\"hb\"", "\"hc\"")), (4403, "hmac"));
    assert_eq!(
        code(&swap("\"type\":\"heartbeat\"", "\"type\":\"nope\"")),
        (1011, "unknown_type")
    );
    assert_eq!(code(&swap("\"v\":2", "\"v\":3")), (1011, "other_version"));
    assert_eq!(code(&|_| b"not json".to_vec()), (1011, "not_json"));
    assert_eq!(
        code(&|_| vec![b' '; limits::FRAME_BYTES_MAX + 1]),
        (4400, "too_big")
    );
    assert_eq!(
        code(&|ends| {
            let frame = sign(ends);
            let received = Received::now(&ends.env);
            ends.brain.on_frame(&frame, received).unwrap();
            frame
        }),
        (4403, "seq")
    );
}

#[test]
fn a_frame_that_only_a_brain_sends_is_refused_from_an_agent() {
    let mut ends = live_ends();
    let frame = ends
        .signer
        .sign(FrameType::EventBatchAck, "eba", &CommandAck::default())
        .unwrap();
    let close = ends
        .brain
        .on_frame(&frame, Received::now(&ends.env))
        .unwrap_err();
    assert_eq!(close.refusal, Some(Refusal::WrongDirection));
}

#[test]
fn a_clock_that_is_off_is_named_with_its_skew() {
    let mut ends = live_ends();
    let frame = ends
        .signer
        .sign(FrameType::Heartbeat, "hb", &Heartbeat::default())
        .unwrap();
    let received = Received {
        at: ends.env.now().minus(Duration::from_secs(90)),
        elapsed: ends.env.elapsed(),
        held_up: Duration::ZERO,
    };
    let close = ends.brain.on_frame(&frame, received).unwrap_err();
    assert_eq!(close.code, CloseCode::Forbidden);
    let skew_ms = close.refusal.and_then(|refusal| refusal.skew_ms()).unwrap();
    assert!((89_000..=90_000).contains(&skew_ms), "{skew_ms}");
}

#[test]
fn silence_closes_the_link_before_and_after_hello() {
    let mut silent = BrainSession::new(Duration::ZERO);
    assert!(silent.on_time(Duration::from_millis(9_999)).is_ok());
    assert_eq!(
        silent.on_time(limits::HELLO_WAIT).unwrap_err().code,
        CloseCode::Idle
    );
    let mut ends = live_ends();
    let deadline = ends.brain.deadline().unwrap();
    assert!(
        ends.brain
            .on_time(deadline - Duration::from_millis(1))
            .is_ok()
    );
    assert_eq!(ends.brain.on_time(deadline).unwrap_err().reason(), "idle");
    assert_eq!(ends.brain.deadline(), None);
}
