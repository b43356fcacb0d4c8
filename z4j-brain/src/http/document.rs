//! The OpenAPI document around the routes.

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, PathItem, Ref, ResponseBuilder};
use utoipa::{OpenApi as _, PartialSchema as _};

use super::dto::stats::Counters;
use super::error::ErrorBody;

#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "z4j",
    description = "A control plane for background tasks. Times are RFC 3339 in UTC with microseconds. \
                   Lists are walked with `next_cursor`. Every error has one shape."
))]
struct Base;

/// What is said of the whole.
pub(super) fn base() -> OpenApi {
    Base::openapi()
}

/// The document with what every operation has in common.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_default();
    components
        .schemas
        .insert("Error".to_owned(), ErrorBody::schema());
    components
        .schemas
        .insert("Counters".to_owned(), Counters::schema());
    let cookie = ApiKey::Cookie(ApiKeyValue::new("z4j_session"));
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    document.security = Some(vec![SecurityRequirement::new(
        "session",
        Vec::<String>::new(),
    )]);
    for item in document.paths.paths.values_mut() {
        operations(item).for_each(add_error);
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.patch,
        &mut item.put,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

fn add_error(operation: &mut Operation) {
    let content = Content::new(Some(Ref::from_schema_name("Error")));
    let response = ResponseBuilder::new()
        .description("It was not done.")
        .content("application/json", content)
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), response.into());
}
