//! The OpenAPI 3.1 document, made from the same table as the routes.

use serde_json::{Map, Value, json};

use super::{Endpoint, endpoints};
use crate::openapi::{problem_response, schemas};

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints() {
        let operation = with_security(&endpoint);
        let path = paths
            .entry(endpoint.path.replace("{*", "{"))
            .or_insert_with(|| json!({}));
        path[endpoint.method] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "sre: the Skill Runtime Environment",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Runs untrusted skills, commits to what they did, and replays them to prove it.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "responses": { "Problem": problem_response() },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// The operation with what its scopes mean for clients.
fn with_security(endpoint: &Endpoint) -> Value {
    let mut operation = endpoint.operation.clone();
    if endpoint.scopes.is_empty() {
        operation["security"] = json!([]);
        return operation;
    }
    operation["security"] = json!([{ "token": [] }]);
    let scopes: Vec<String> = endpoint.scopes.iter().map(ToString::to_string).collect();
    operation["description"] = json!(format!(
        "Needs a token with the scope {} or admin.",
        scopes.join(" or ")
    ));
    for status in ["401", "403", "421"] {
        operation["responses"][status] = json!({ "$ref": "#/components/responses/Problem" });
    }
    operation
}
