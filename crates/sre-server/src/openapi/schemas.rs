//! The schemas of what goes over the wire, as JSON Schema 2020-12. A test holds real answers
//! against them.

use serde_json::{Map, Value, json};

use super::order_schemas::order_schemas;
use super::receipt_schemas::receipt_schemas;

pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

pub(super) fn nullable(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

pub(super) fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// Every schema by name.
pub(crate) fn schemas() -> Map<String, Value> {
    let parts = [common_schemas(), order_schemas(), receipt_schemas()];
    parts
        .into_iter()
        .flat_map(|part| part.as_object().cloned().unwrap_or_default())
        .collect()
}

fn common_schemas() -> Value {
    json!({
        "Anything": { "type": "object" },
        "OrderId": {
            "type": "string",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$",
            "description": "Identity and idempotency key",
        },
        "Digest": { "type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256, lower-case hexadecimal" },
        "Problem": problem(),
        "Delivery": delivery(),
        "Blob": {
            "type": "object",
            "properties": { "sha256": reference("Digest"), "size": { "type": "integer", "minimum": 0 } },
            "required": ["sha256", "size"],
            "additionalProperties": false,
        },
        "Skill": skill(false),
        "SkillWithManifest": skill(true),
        "SkillPage": page("skills", &reference("Skill")),
        "Health": {
            "type": "object",
            "properties": { "status": { "const": "ok" } },
            "required": ["status"],
        },
        "Readiness": {
            "type": "object",
            "properties": {
                "status": { "enum": ["ready", "not_ready"] },
                "checks": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "name": { "enum": ["accepting", "journal", "store", "log", "disk", "sandbox"] },
                            "ok": { "type": "boolean" },
                            "reason": { "enum": [
                                null, "shutting_down", "disk_full", "locked", "read_only", "damaged", "io_failed",
                                "moved", "failed", "space_low", "sandbox_failed",
                            ] },
                        },
                        "required": ["name", "ok", "reason"],
                    },
                },
            },
            "required": ["status", "checks"],
        },
    })
}

pub(super) fn page(name: &str, item: &Value) -> Value {
    let mut properties = json!({ "next_cursor": { "type": ["string", "null"] } });
    properties[name] = json!({ "type": "array", "items": item });
    json!({
        "type": "object",
        "properties": properties,
        "required": [name, "next_cursor"],
        "additionalProperties": false,
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string" },
            "code": { "type": "string", "pattern": "^[a-z0-9_]+$" },
        },
        "required": ["type", "title", "status", "detail", "code"],
        "additionalProperties": false,
    })
}

fn delivery() -> Value {
    json!({
        "type": "object",
        "properties": {
            "order_id": reference("OrderId"),
            "message_id": { "type": "string" },
            "receiver": { "type": "string" },
            "state": { "enum": ["pending", "delivered", "refused", "given_up"] },
            "attempts": { "type": "integer", "minimum": 0 },
            "next_attempt_at": nullable(&time()),
            "last_error": { "type": ["string", "null"] },
        },
        "required": ["order_id", "message_id", "receiver", "state", "attempts", "next_attempt_at", "last_error"],
        "additionalProperties": false,
    })
}

fn skill(with_manifest: bool) -> Value {
    let mut skill = json!({
        "type": "object",
        "properties": {
            "digest": reference("Digest"),
            "name": { "type": "string" },
            "version": { "type": "string" },
            "submitter": { "type": "string" },
            "uploaded_at": time(),
        },
        "required": ["digest", "name", "version", "submitter", "uploaded_at"],
        "additionalProperties": false,
    });
    if with_manifest {
        skill["properties"]["manifest"] = json!({ "type": "object" });
        skill["required"] = json!([
            "digest",
            "name",
            "version",
            "submitter",
            "uploaded_at",
            "manifest"
        ]);
    }
    skill
}
