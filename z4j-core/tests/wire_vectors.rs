//! Every golden vector of the protocol pack: canonical bytes, MACs, verifier sessions, keys, digests.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::use_self,
    reason = "a test program: a failure is a panic"
)]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;
use z4j_core::id::ProjectId;
use z4j_core::keys::{KeyError, MasterSecret, SecretKey, sha256_hex};
use z4j_core::time::Timestamp;
use z4j_core::wire::{
    Received, RefusalClass, SessionBinding, Verifier, canonical_value, frame_mac, signed_bytes,
};

#[derive(Deserialize)]
struct Pack {
    key_derivation: Vec<KeyDerivation>,
    key_derivation_errors: Vec<KeyDerivationError>,
    hmac_secret_decode: Vec<SecretDecode>,
    token_hash: Vec<TokenHash>,
    purge_token: Vec<PurgeToken>,
    envelope: Vec<EnvelopeVector>,
    uncanonicalisable: Vec<Uncanonicalisable>,
    sessions: Vec<Session>,
    schedule_digest: Vec<ScheduleDigest>,
    brain_event_id: Vec<BrainEventId>,
}

#[derive(Deserialize)]
struct KeyDerivation {
    name: String,
    master_b64: String,
    project_id: Uuid,
    key_hex: String,
    hmac_secret_text: String,
}

#[derive(Deserialize)]
struct KeyDerivationError {
    master_b64: String,
}

#[derive(Deserialize)]
struct SecretDecode {
    name: String,
    text: String,
    ok: bool,
    bytes_hex: Option<String>,
}

#[derive(Deserialize)]
struct TokenHash {
    name: String,
    master_b64: String,
    token: String,
    hash_hex: String,
}

#[derive(Deserialize)]
struct PurgeToken {
    key_hex: String,
    queue: String,
    depth: u64,
    token_hex: String,
}

#[derive(Deserialize)]
struct EnvelopeVector {
    name: String,
    wire_text: String,
    agent_id: String,
    project_id: String,
    session_id: String,
    key_hex: String,
    canonical_b64: String,
    hmac_hex: String,
}

#[derive(Deserialize)]
struct Uncanonicalisable {
    name: String,
    wire_text: String,
}

#[derive(Deserialize)]
struct Session {
    name: String,
    key_hex: String,
    agent_id: String,
    project_id: String,
    session_id: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    receiver_now: Timestamp,
    wire_text: String,
    expect: String,
    class: Option<String>,
    why: Option<String>,
}

#[derive(Deserialize)]
struct ScheduleDigest {
    name: String,
    body: Box<RawValue>,
    sha256_hex: String,
}

#[derive(Deserialize)]
struct BrainEventId {
    namespace: Uuid,
    name_text: String,
    uuid5: Uuid,
}

fn pack() -> Pack {
    serde_json::from_str(include_str!("data/hmac.json")).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    z4j_core::keys::to_hex(bytes)
}

#[test]
fn project_keys_are_derived_as_the_protocol_says() {
    let vectors = pack().key_derivation;
    assert_eq!(vectors.len(), 9);
    for vector in vectors {
        let master = MasterSecret::new(STANDARD.decode(&vector.master_b64).unwrap()).unwrap();
        let key = master.project_key(ProjectId::from_uuid(vector.project_id));
        assert_eq!(hex(key.expose()), vector.key_hex, "{}", vector.name);
        assert_eq!(
            key.to_hmac_secret().expose(),
            vector.hmac_secret_text,
            "{}",
            vector.name
        );
    }
    for vector in pack().key_derivation_errors {
        let refused = MasterSecret::new(STANDARD.decode(&vector.master_b64).unwrap());
        assert_eq!(refused.err(), Some(KeyError::TooShort));
    }
}

#[test]
fn hmac_secrets_are_read_as_agents_read_them() {
    for vector in pack().hmac_secret_decode {
        let key = SecretKey::from_hmac_secret(&vector.text);
        assert_eq!(key.is_ok(), vector.ok, "{}", vector.name);
        let bytes = key.ok().map(|key| hex(key.expose()));
        assert_eq!(bytes, vector.bytes_hex, "{}", vector.name);
    }
}

#[test]
fn token_hashes_and_purge_tokens_agree() {
    for vector in pack().token_hash {
        let master = MasterSecret::new(STANDARD.decode(&vector.master_b64).unwrap()).unwrap();
        assert_eq!(
            master.token_hash(&vector.token),
            vector.hash_hex,
            "{}",
            vector.name
        );
    }
    for vector in pack().purge_token {
        let key = SecretKey::from_bytes(unhex(&vector.key_hex));
        assert_eq!(
            key.purge_token(&vector.queue, vector.depth),
            vector.token_hex
        );
    }
}

#[test]
fn envelopes_have_the_signed_bytes_and_the_mac_of_the_vectors() {
    let vectors = pack().envelope;
    assert_eq!(vectors.len(), 39);
    for vector in vectors {
        let binding = SessionBinding {
            agent_id: vector.agent_id,
            project_id: vector.project_id,
            session_id: vector.session_id,
        };
        let wire = vector.wire_text.as_bytes();
        let signed = signed_bytes(wire, &binding).unwrap();
        let expected = STANDARD.decode(&vector.canonical_b64).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&signed),
            String::from_utf8_lossy(&expected),
            "{}",
            vector.name
        );
        let key = SecretKey::from_bytes(unhex(&vector.key_hex));
        assert_eq!(
            frame_mac(wire, &key, &binding).unwrap(),
            vector.hmac_hex,
            "{}",
            vector.name
        );
    }
}

#[test]
fn what_has_no_canonical_form_is_refused() {
    for vector in pack().uncanonicalisable {
        assert!(
            canonical_value(vector.wire_text.as_bytes()).is_err(),
            "{}",
            vector.name
        );
    }
}

#[test]
fn verifier_sessions_accept_and_refuse_step_by_step() {
    let sessions = pack().sessions;
    assert_eq!(sessions.len(), 40);
    for session in sessions {
        let binding = SessionBinding {
            agent_id: session.agent_id,
            project_id: session.project_id,
            session_id: session.session_id,
        };
        let mut verifier = Verifier::new(&SecretKey::from_bytes(unhex(&session.key_hex)), binding);
        let start = session.steps[0].receiver_now;
        for (index, step) in session.steps.iter().enumerate() {
            let received = Received {
                at: step.receiver_now,
                elapsed: Duration::from_secs(1000) + step.receiver_now.since(start),
                held_up: Duration::ZERO,
            };
            let outcome = verifier.verify(step.wire_text.as_bytes(), received);
            let place = format!("{} step {index}: {outcome:?}", session.name);
            assert_eq!(outcome.is_ok(), step.expect == "accept", "{place}");
            let Err(refusal) = outcome else { continue };
            let class = match refusal.class() {
                RefusalClass::Signature => "signature",
                RefusalClass::Protocol => "protocol",
                RefusalClass::Version => "version",
                RefusalClass::Size => "size",
            };
            assert_eq!(Some(class), step.class.as_deref(), "{place}");
            if let Some(why) = &step.why {
                assert_eq!(refusal.reason(), why, "{place}");
            }
        }
    }
}

#[test]
fn schedule_digests_agree() {
    for vector in pack().schedule_digest {
        let canonical = canonical_value(vector.body.get().as_bytes()).unwrap();
        assert_eq!(sha256_hex(&canonical), vector.sha256_hex, "{}", vector.name);
    }
}

#[test]
fn name_based_uuids_are_those_of_the_reference() {
    for vector in pack().brain_event_id {
        assert_eq!(
            Uuid::new_v5(&vector.namespace, vector.name_text.as_bytes()),
            vector.uuid5
        );
    }
}
