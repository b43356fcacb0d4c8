//! What every redactor must do. The part under test is the [`Redactor`] itself.

mod corpus;
mod secrets;
mod shape;

use z4j_core::redact::Redactor;

suite! {$;
    redactor_conformance of dyn Redactor, in redactor;
    /// A member whose key names a secret loses its value, however the key is written.
    secrets::secret_keys_lose_their_values;
    /// A secret is masked wherever it stands: nested, in arrays, under innocent keys.
    secrets::secrets_are_found_at_any_depth;
    /// Text with the shape of a secret is masked under any key.
    secrets::shapes_of_secrets_are_masked;
    /// A secret in a message that stands for itself is masked.
    secrets::secrets_in_plain_text_are_masked;
    /// A secret that a size limit would cut in two is masked and not cut.
    secrets::secret_across_the_cut_is_masked;
    /// What is no secret comes back byte for byte.
    shape::innocent_json_stays_as_it_is;
    /// Numbers keep their spelling beside a masked member.
    shape::numbers_keep_their_spelling;
    /// What comes out is JSON, whatever went in.
    shape::output_is_json;
    /// What went through once goes through again unchanged.
    shape::redaction_is_idempotent;
    /// The same input gives the same output.
    shape::redaction_is_a_function;
    /// Text above the limit is cut on a character.
    shape::long_text_is_cut_on_a_character;
    /// A document that needs no walk needs no change either.
    shape::may_touch_never_hides_a_change;
    /// Deep, wide and long input is answered within the time of a case.
    shape::hostile_input_is_answered;
    /// The policy has a name, and always the same.
    shape::policy_has_a_name;
}
