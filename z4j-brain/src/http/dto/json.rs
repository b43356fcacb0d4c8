//! JSON that is passed on as it was stored.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// JSON text from the store, written out without being read into a tree.
#[derive(Clone, Debug)]
pub(crate) struct Json(Box<RawValue>);

impl Json {
    /// Wraps stored text. What is not JSON, such as a bare `repr`, is passed on as a JSON string.
    pub(crate) fn new(text: &str) -> Self {
        let raw = RawValue::from_string(text.to_owned())
            .or_else(|_| serde_json::value::to_raw_value(text))
            .unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self(raw)
    }

    /// The same for what may be absent.
    pub(crate) fn of(text: Option<&str>) -> Option<Self> {
        text.map(Self::new)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl PartialSchema for Json {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::AnyValue)
            .description(Some("Any JSON value."))
            .into()
    }
}

impl ToSchema for Json {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_json_becomes_a_string() {
        let written = |text| serde_json::to_string(&Json::new(text)).unwrap();
        assert_eq!(written("[1, {\"a\":2}]"), "[1, {\"a\":2}]");
        assert_eq!(written("<Job 7>"), "\"<Job 7>\"");
        assert_eq!(written(""), "\"\"");
    }
}
