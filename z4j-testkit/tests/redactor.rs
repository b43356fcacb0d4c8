//! The redactor that a brain uses keeps what the testkit asks of every redactor, and one that keeps secrets does not.

use z4j_core::redact::{
    DefaultRedactor, FieldContext, FieldDecision, FieldValue, PolicyId, Redactor,
};
use z4j_testkit::Fresh;

async fn fresh() -> Fresh<DefaultRedactor> {
    Fresh::new(DefaultRedactor::strict())
}

z4j_testkit::redactor_conformance!(fresh);

/// Knows one key and nothing else.
#[derive(Debug)]
struct Careless;

impl Redactor for Careless {
    fn policy(&self) -> PolicyId {
        PolicyId::new("careless")
    }

    fn decide(&self, field: &FieldContext<'_>, _value: &FieldValue<'_>) -> FieldDecision {
        match field.key {
            Some("password") => FieldDecision::Mask,
            _ => FieldDecision::Keep,
        }
    }

    fn string_bytes_max(&self) -> usize {
        8192
    }

    fn may_touch(&self, json: &str) -> bool {
        json.contains("password")
    }
}

#[test]
#[should_panic(expected = "broken promise: nothing that looks like a secret is kept")]
fn redactor_that_knows_one_key_only_fails_the_suite() {
    z4j_testkit::conformance::run(async {
        z4j_testkit::suite::redactor::case::secret_keys_lose_their_values(&Careless).await;
    });
}
