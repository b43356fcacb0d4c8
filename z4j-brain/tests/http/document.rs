//! The OpenAPI document.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::Value;
use z4j_brain::{openapi_json, route_table};

use crate::site::{ADMIN, Site};

const SNAPSHOT: &str = include_str!("../../openapi.json");

#[test]
fn snapshot_is_current() {
    let current = openapi_json().unwrap();
    assert!(
        SNAPSHOT == current,
        "z4j-brain/openapi.json is out of date: write the output of `z4j openapi` to it"
    );
}

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    let document: Value = serde_json::from_str(&openapi_json().unwrap()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert((method.to_uppercase(), path.clone()));
            let error =
                &operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(error, "#/components/schemas/Error", "{method} {path}");
        }
    }
    let routes: BTreeSet<_> = route_table()
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    assert_eq!(described, routes);
}

#[test]
fn every_reference_leads_somewhere() {
    let document: Value = serde_json::from_str(&openapi_json().unwrap()).unwrap();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 30);
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(
                members
                    .get("$ref")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            );
            members
                .values()
                .for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_for_those_who_are_signed_in() {
    let site = Site::new().await;
    let path = "/api/v1/openapi.json";
    assert_eq!(site.get(path).send().await.status, StatusCode::UNAUTHORIZED);
    let cookie = site.sign_in(ADMIN).await;
    let answer = site.get(path).cookie(&cookie).send().await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.bytes, SNAPSHOT.as_bytes());
}
