//! The audit chain: golden seals, and every single change of a chain is seen at its first bad position.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken helper fails the test that called it"
)]

use serde::Deserialize;
use z4j_core::audit::{
    Actor, AuditDraft, AuditEntry, AuditKey, ChainFault, ChainHead, ChainId, FaultKind, Outcome,
    seal, verify,
};
use z4j_core::id::{AgentId, AuditId, ProjectId, UserId};
use z4j_core::time::Timestamp;

#[derive(Deserialize)]
struct Vectors {
    key_hex: String,
    chains: Vec<Vec<Vector>>,
}

#[derive(Deserialize)]
struct Vector {
    chain: String,
    seq: u64,
    id: String,
    key_id: String,
    prev_mac: String,
    mac: String,
    at_micros: i64,
    actor: VectorActor,
    origin: Option<String>,
    action: String,
    target_type: String,
    target_id: String,
    outcome: String,
    metadata: String,
}

#[derive(Deserialize)]
struct VectorActor {
    kind: String,
    id: Option<String>,
    name: Option<String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> [u8; 32] {
    let bytes: Vec<u8> = (0..32)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    bytes.try_into().unwrap()
}

fn draft_of(vector: &Vector) -> AuditDraft {
    let name = vector.actor.name.clone().unwrap_or_default();
    let id = vector.actor.id.as_deref();
    let actor = match vector.actor.kind.as_str() {
        "user" => Actor::User {
            id: id.unwrap().parse::<UserId>().unwrap(),
            name,
        },
        "agent" => Actor::Agent {
            id: id.unwrap().parse::<AgentId>().unwrap(),
            name,
        },
        _ => Actor::System,
    };
    AuditDraft::new(
        Timestamp::from_micros(vector.at_micros),
        actor,
        vector.action.clone(),
    )
    .with_origin(vector.origin.clone())
    .with_target(vector.target_type.clone(), vector.target_id.clone())
    .with_outcome(vector.outcome.parse().unwrap())
    .with_metadata(vector.metadata.clone())
}

#[test]
fn seals_are_those_of_the_golden_chains() {
    let vectors: Vectors = serde_json::from_str(include_str!("data/audit_chain.json")).unwrap();
    let key_bytes = unhex(&vectors.key_hex);
    for chain in vectors.chains {
        let mut head: Option<ChainHead> = None;
        let mut entries = Vec::new();
        for vector in &chain {
            let id: AuditId = vector.id.parse().unwrap();
            let key = AuditKey::new(vector.key_id.clone(), key_bytes);
            let entry = seal(
                &key,
                vector.chain.parse().unwrap(),
                head.as_ref(),
                id,
                draft_of(vector),
            );
            assert_eq!((entry.version, entry.seq), (1, vector.seq));
            assert_eq!(hex(&entry.prev_mac), vector.prev_mac);
            assert_eq!(hex(&entry.mac), vector.mac);
            head = Some(entry.head());
            entries.push(entry);
        }
        let keys = [AuditKey::new("k1", key_bytes)];
        let report = verify(&keys, chain[0].chain.parse().unwrap(), None, entries).unwrap();
        assert_eq!((report.length, report.head), (chain.len() as u64, head));
    }
}

const CHAIN: ChainId = ChainId::Project(ProjectId::from_u128(9));

fn key() -> AuditKey {
    AuditKey::new("k1", [7; 32])
}

fn draft(n: i64) -> AuditDraft {
    let actor = Actor::User {
        id: UserId::from_u128(1),
        name: "ada".to_owned(),
    };
    AuditDraft::new(Timestamp::from_micros(n), actor, "task.retry")
        .with_target("task", format!("celery:{n}"))
        .with_origin(Some("192.0.2.1".to_owned()))
        .with_metadata(r#"{"n":1}"#)
}

fn chain_of(key: &AuditKey, chain: ChainId, length: i64) -> Vec<AuditEntry> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    for n in 1..=length {
        let head = entries.last().map(AuditEntry::head);
        let id = AuditId::from_u128(u128::try_from(n).unwrap());
        entries.push(seal(key, chain, head.as_ref(), id, draft(n)));
    }
    entries
}

fn fault(entries: Vec<AuditEntry>) -> ChainFault {
    verify(&[key()], CHAIN, None, entries).unwrap_err()
}

#[test]
fn a_whole_chain_is_whole_and_can_be_walked_in_pieces() {
    let entries = chain_of(&key(), CHAIN, 6);
    let report = verify(&[key()], CHAIN, None, entries.clone()).unwrap();
    assert_eq!((report.length, report.head), (6, Some(entries[5].head())));
    let first = verify(&[key()], CHAIN, None, entries[..2].to_vec()).unwrap();
    let second = verify(&[key()], CHAIN, first.head, entries[2..].to_vec()).unwrap();
    assert_eq!((second.length, second.head), (4, report.head));
    let nothing = verify(&[key()], CHAIN, None, Vec::new()).unwrap();
    assert_eq!((nothing.length, nothing.head), (0, None));
}

/// What is changed, how, and what the walk must say.
type Change = (&'static str, fn(&mut AuditEntry), FaultKind);

/// Every field of an entry, changed alone.
fn changes() -> Vec<Change> {
    vec![
        ("version", |e| e.version = 2, FaultKind::Version),
        ("chain", |e| e.chain = ChainId::Instance, FaultKind::Chain),
        ("seq", |e| e.seq += 1, FaultKind::Sequence),
        ("id", |e| e.id = AuditId::from_u128(99), FaultKind::Seal),
        ("key id", |e| e.key_id = "k2".to_owned(), FaultKind::Key),
        ("prev_mac", |e| e.prev_mac[31] ^= 1, FaultKind::Seal),
        ("mac", |e| e.mac[0] ^= 1, FaultKind::Seal),
        (
            "at",
            |e| e.draft.at = Timestamp::from_micros(50),
            FaultKind::Seal,
        ),
        ("actor", |e| e.draft.actor = Actor::System, FaultKind::Seal),
        (
            "actor kind",
            |e| {
                e.draft.actor = Actor::Agent {
                    id: AgentId::from_u128(1),
                    name: "ada".to_owned(),
                }
            },
            FaultKind::Seal,
        ),
        ("origin", |e| e.draft.origin = None, FaultKind::Seal),
        (
            "empty origin",
            |e| e.draft.origin = Some(String::new()),
            FaultKind::Seal,
        ),
        ("action", |e| e.draft.action.push('x'), FaultKind::Seal),
        (
            "target type",
            |e| e.draft.target_type.clear(),
            FaultKind::Seal,
        ),
        (
            "target id",
            |e| e.draft.target_id.push('1'),
            FaultKind::Seal,
        ),
        (
            "outcome",
            |e| e.draft.outcome = Outcome::Refused,
            FaultKind::Seal,
        ),
        (
            "metadata",
            |e| e.draft.metadata = r#"{"n":1.0}"#.to_owned(),
            FaultKind::Seal,
        ),
        (
            "text moved between fields",
            |e| {
                e.draft.target_type = "tas".to_owned();
                e.draft.target_id = format!("k{}", e.draft.target_id);
            },
            FaultKind::Seal,
        ),
    ]
}

#[test]
fn every_changed_field_is_seen_where_it_is() {
    for (name, change, kind) in changes() {
        for position in [0, 2, 4] {
            let mut entries = chain_of(&key(), CHAIN, 5);
            change(&mut entries[position]);
            let expected = ChainFault {
                seq: position as u64 + 1,
                kind,
            };
            assert_eq!(fault(entries), expected, "{name} at {position}");
        }
    }
}

#[test]
fn a_deleted_inserted_swapped_or_doubled_entry_is_seen_where_it_is() {
    let whole = chain_of(&key(), CHAIN, 5);

    let mut deleted = whole.clone();
    deleted.remove(1);
    assert_eq!(
        (fault(deleted.clone()).seq, fault(deleted).kind),
        (2, FaultKind::Sequence)
    );

    let mut headless = whole.clone();
    headless.remove(0);
    assert_eq!(fault(headless).seq, 1);

    let mut inserted = whole.clone();
    inserted.insert(
        2,
        seal(
            &key(),
            CHAIN,
            Some(&whole[1].head()),
            AuditId::from_u128(70),
            draft(70),
        ),
    );
    assert_eq!(
        fault(inserted).seq,
        4,
        "the entry after a well made insertion no longer fits"
    );

    let mut swapped = whole.clone();
    swapped.swap(1, 2);
    assert_eq!(fault(swapped).seq, 2);

    let mut doubled = whole.clone();
    doubled.insert(3, whole[2].clone());
    assert_eq!(fault(doubled).seq, 4);
}

#[test]
fn a_deleted_entry_is_seen_even_when_the_rest_is_numbered_anew() {
    let mut entries = chain_of(&key(), CHAIN, 4);
    entries.remove(1);
    for (entry, seq) in entries.iter_mut().zip(1..) {
        entry.seq = seq;
    }
    assert_eq!(
        (fault(entries.clone()).seq, fault(entries).kind),
        (2, FaultKind::Seal)
    );
}

#[test]
fn a_replaced_entry_breaks_the_link_of_the_next() {
    let mut entries = chain_of(&key(), CHAIN, 4);
    entries[1] = seal(
        &key(),
        CHAIN,
        Some(&entries[0].head()),
        entries[1].id,
        draft(40),
    );
    assert_eq!(
        (fault(entries.clone()).seq, fault(entries).kind),
        (3, FaultKind::Link)
    );
}

#[test]
fn an_entry_sealed_with_another_key_of_the_same_name_is_seen() {
    let mut entries = chain_of(&key(), CHAIN, 3);
    let other = AuditKey::new("k1", [8; 32]);
    entries[2] = seal(
        &other,
        CHAIN,
        Some(&entries[1].head()),
        entries[2].id,
        draft(3),
    );
    assert_eq!(
        (fault(entries.clone()).seq, fault(entries).kind),
        (3, FaultKind::Seal)
    );
}

#[test]
fn a_chain_whose_key_changed_verifies_with_both_keys_only() {
    let mut entries = chain_of(&key(), CHAIN, 2);
    let next = AuditKey::new("k2", [8; 32]);
    entries.push(seal(
        &next,
        CHAIN,
        Some(&entries[1].head()),
        AuditId::from_u128(3),
        draft(3),
    ));
    assert!(verify(&[key(), next.clone()], CHAIN, None, entries.clone()).is_ok());
    let fault = verify(&[next], CHAIN, None, entries).unwrap_err();
    assert_eq!((fault.seq, fault.kind), (1, FaultKind::Key));
}

#[test]
fn an_entry_of_another_chain_does_not_fit() {
    let other = chain_of(&key(), ChainId::Instance, 1);
    assert_eq!(fault(other).kind, FaultKind::Chain);
    let texts = [ChainId::Instance.to_string(), CHAIN.to_string()];
    assert_eq!(texts[0], "instance");
    assert_eq!(texts[1].parse::<ChainId>().unwrap(), CHAIN);
    assert!("nothing".parse::<ChainId>().is_err());
}

#[test]
fn a_cut_tail_is_seen_only_against_a_head_kept_elsewhere() {
    let mut entries = chain_of(&key(), CHAIN, 4);
    let kept = entries[3].head();
    entries.truncate(3);
    let report = verify(&[key()], CHAIN, None, entries).unwrap();
    assert_ne!(report.head, Some(kept));
}

#[test]
fn a_key_does_not_print() {
    let printed = format!("{:?}", AuditKey::new("k1", [0xab; 32]));
    assert!(printed.contains("k1"));
    assert!(
        !printed.contains("171")
            && !printed.to_lowercase().contains("ab, ")
            && !printed.contains("abab"),
        "{printed}"
    );
}
