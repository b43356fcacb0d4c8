use super::*;
use crate::wire::encode_hello_ack;

fn ack(protocol: &str) -> Vec<u8> {
    let ack = HelloAck {
        protocol_version: protocol.to_owned(),
        brain_version: String::new(),
        agent_id: "a".to_owned(),
        project_id: "p".to_owned(),
        session_id: "s".to_owned(),
        heartbeat_interval_seconds: 10,
        max_frame_size_bytes: 4096,
        stream: None,
    };
    encode_hello_ack("h", &ack).unwrap()
}

fn live_ends() -> (AgentSession, Signer, Env) {
    let (key, env) = (SecretKey::from_bytes(vec![7; 32]), Env::system());
    let mut agent = AgentSession::new(key.clone(), env.clone());
    agent.on_frame(&ack("2"), Received::now(&env)).unwrap();
    let binding = SessionBinding {
        agent_id: "a".to_owned(),
        project_id: "p".to_owned(),
        session_id: "s".to_owned(),
    };
    let brain = Signer::new(&key, binding, env.clone());
    (agent, brain, env)
}

#[test]
fn the_smallest_hello_ack_is_enough() {
    let env = Env::system();
    let mut agent = AgentSession::new(SecretKey::from_bytes(vec![7; 32]), env.clone());
    let frame =
        br#"{"type":"hello_ack","id":"h","payload":{"protocol_version":"2","brain_version":"",
        "agent_id":"a","project_id":"p","session_id":"s"}}"#;
    let Ok(AgentInput::Established(live)) = agent.on_frame(frame, Received::now(&env)) else {
        panic!("not established");
    };
    assert_eq!(live.ack.heartbeat_interval_seconds, 10);
    assert_eq!(live.ack.max_frame_size_bytes, 1 << 20);
    assert!(agent.is_live());
}

#[test]
fn another_protocol_is_incompatible_and_rubbish_is_a_lost_connection() {
    let env = Env::system();
    let class = |frame: &[u8]| {
        let mut agent = AgentSession::new(SecretKey::from_bytes(vec![7; 32]), env.clone());
        agent
            .on_frame(frame, Received::now(&env))
            .unwrap_err()
            .class
    };
    assert_eq!(class(&ack("3")), FailureClass::Incompatible);
    assert_eq!(class(b"{oops"), FailureClass::Connection);
    assert_eq!(
        class(br#"{"v":2,"type":"command","id":"x","payload":{}}"#),
        FailureClass::Connection
    );
}

#[test]
fn close_codes_have_the_class_of_the_protocol() {
    use FailureClass::{Auth, Connection, Incompatible};
    for (code, handshake, live) in [
        (4401, Auth, Connection),
        (4403, Auth, Connection),
        (4426, Incompatible, Connection),
        (4427, Incompatible, Connection),
        (4003, Connection, Auth),
        (4400, Connection, Connection),
        (4429, Connection, Connection),
        (4002, Connection, Connection),
        (1011, Connection, Connection),
    ] {
        assert_eq!(
            FailureClass::of_close(CloseCode::from_code(code), false),
            handshake,
            "{code}"
        );
        assert_eq!(
            FailureClass::of_close(CloseCode::from_code(code), true),
            live,
            "{code}"
        );
    }
    assert_eq!(FailureClass::of_http_status(401), Auth);
    assert_eq!(FailureClass::of_http_status(403), Connection);
}

#[test]
fn only_a_fatal_error_ends_the_session_and_its_code_decides_the_class() {
    let send = |code: &str, fatal: bool| {
        let (mut agent, mut brain, env) = live_ends();
        let error = ErrorFrame {
            code: code.to_owned(),
            message: String::new(),
            fatal,
        };
        let frame = brain.sign(FrameType::Error, "e", &error).unwrap();
        agent
            .on_frame(&frame, Received::now(&env))
            .map(|_| ())
            .map_err(|failure| failure.class)
    };
    assert_eq!(
        send("scheduler_upgrade_required", true),
        Err(FailureClass::Incompatible)
    );
    assert_eq!(send("whatever", true), Err(FailureClass::Protocol));
    assert_eq!(send("whatever", false), Ok(()));
}

#[test]
fn a_brain_that_does_not_answer_is_left_after_ten_seconds() {
    let (_, _, env) = live_ends();
    let mut agent = AgentSession::new(SecretKey::from_bytes(vec![7; 32]), env);
    let deadline = agent.deadline().unwrap();
    assert!(agent.on_time(deadline - Duration::from_millis(1)).is_ok());
    assert_eq!(agent.on_time(deadline).unwrap_err().reason, "no_hello_ack");
}
