//! The schemas of orders: what is asked for, what is committed, what was verified.

use serde_json::{Value, json};
use sre_journal::OrderState;

use super::schemas::{nullable, page, reference, time};

pub(super) fn order_schemas() -> Value {
    json!({
        "OrderConfig": order_config(),
        "SandboxConfig": sandbox_config(),
        "SkillObject": skill_object(),
        "Order": order(),
        "OrderPage": page("orders", &order_row()),
        "CommitResult": commit_result(),
        "Claim": claim(),
        "VerifyResult": verify_result(),
        "Divergence": divergence(),
        "VerifyRequest": verify_request(),
        "Event": event(),
    })
}

fn order_config() -> Value {
    json!({
        "type": "object",
        "properties": {
            "order_id": reference("OrderId"),
            "skill_package": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": { "digest": reference("Digest") },
                        "required": ["digest"],
                        "additionalProperties": false,
                    },
                    reference("SkillObject"),
                ],
            },
            "input_data": { "type": "object", "default": {} },
            "timeout_seconds": { "anyOf": [{ "type": "number", "exclusiveMinimum": 0 }, { "type": "null" }], "default": 300 },
            "max_retries": { "type": "integer", "minimum": 0, "default": 0 },
            "retry_on_timeout": { "type": "boolean", "default": false },
            "verdicts_required": { "type": "integer", "minimum": 0, "maximum": 16, "default": 0 },
            "callback_url": { "anyOf": [{ "type": "string", "format": "uri" }, { "type": "null" }] },
            "priority": { "type": "integer", "minimum": -100, "maximum": 100, "default": 0 },
            "sandbox_config": nullable(&reference("SandboxConfig")),
        },
        "required": ["order_id", "skill_package"],
        "additionalProperties": false,
    })
}

fn sandbox_config() -> Value {
    let size = json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "string", "pattern": "^[0-9]+[bkmgBKMG]?$" }, { "type": "null" }] });
    let count = json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "null" }] });
    json!({
        "type": "object",
        "properties": {
            "mem_limit": size,
            "cpu_period": count,
            "cpu_quota": count,
            "timeout_seconds": { "anyOf": [{ "type": "number", "exclusiveMinimum": 0 }, { "type": "null" }] },
            "network_disabled": { "type": ["boolean", "null"] },
            "fuel": count,
            "output_limit": size,
            "pids_limit": count,
            "backend": { "enum": ["auto", "wasm", "native", "docker", null] },
            "min_isolation": { "enum": ["process", "jail", "wasm", null] },
            "clock_start": nullable(&time()),
            "random_seed": nullable(&reference("Digest")),
        },
        "additionalProperties": false,
    })
}

fn skill_object() -> Value {
    let text = json!({ "type": "string" });
    let bytes = json!({
        "type": "object",
        "properties": { "base64": text },
        "required": ["base64"],
    });
    json!({
        "type": "object",
        "properties": {
            "name": text,
            "version": text,
            "runtime": {
                "type": "object",
                "properties": {
                    "kind": text,
                    "entrypoint": text,
                    "docker_image": { "type": ["string", "null"] },
                    "timeout_seconds": { "type": ["number", "null"] },
                },
                "required": ["entrypoint"],
            },
            "io": { "type": "object" },
            "annotations": { "type": "object" },
            "files": { "type": "object", "additionalProperties": { "anyOf": [text, bytes] } },
        },
        "required": ["name", "runtime", "files"],
    })
}

fn order() -> Value {
    json!({
        "type": "object",
        "properties": {
            "order_id": reference("OrderId"),
            "status": { "enum": OrderState::SHOWN },
            "commit_result": nullable(&reference("CommitResult")),
            "verification": nullable(&reference("VerifyResult")),
            "execution_time_ms": { "type": "integer", "minimum": 0 },
            "error_message": { "type": ["string", "null"] },
            "error_code": { "type": ["string", "null"] },
            "output": {},
            "attempts": { "type": "integer", "minimum": 0 },
            "logs": { "type": "string" },
            // Only of orders that need verdicts.
            "finality": reference("Finality"),
        },
        "required": [
            "order_id", "status", "commit_result", "verification", "execution_time_ms", "error_message", "error_code",
            "output", "attempts", "logs",
        ],
    })
}

fn order_row() -> Value {
    json!({
        "type": "object",
        "properties": {
            "order_id": reference("OrderId"),
            "status": { "enum": OrderState::SHOWN },
            "submitter": { "type": "string" },
            "skill": nullable(&reference("Digest")),
            "accepted_at": time(),
            "finished_at": nullable(&time()),
            "is_final": { "type": ["boolean", "null"] },
        },
        "required": ["order_id", "status", "submitter", "skill", "accepted_at", "finished_at", "is_final"],
        "additionalProperties": false,
    })
}

fn commit_result() -> Value {
    json!({
        "type": "object",
        "properties": {
            "order_id": reference("OrderId"),
            "result_uri": { "type": ["string", "null"] },
            "result_hash": nullable(&reference("Digest")),
            "execution_time_ms": { "type": "integer", "minimum": 0 },
            "status": { "enum": ["success", "failed"] },
            "error_message": { "type": ["string", "null"] },
            "commitment": {
                "type": "object",
                "properties": {
                    "format": { "type": "string" },
                    "skill": reference("Digest"),
                    "input": reference("Digest"),
                    "profile": reference("Digest"),
                    "runtime": reference("Digest"),
                    "outcome": reference("Digest"),
                },
                "required": ["format", "skill", "input", "profile", "runtime", "outcome"],
                "additionalProperties": false,
            },
            "commitment_hash": reference("Digest"),
            "commitment_uri": { "type": "string" },
            "backend": { "enum": ["wasm", "native", "docker"] },
            "backend_note": { "type": ["string", "null"] },
            "isolation": { "type": ["object", "null"] },
            "resources": {
                "type": "object",
                "properties": {
                    "fuel": { "type": "integer", "minimum": 0 },
                    "cpu_ms": { "type": "number" },
                    "peak_memory_bytes": { "type": "integer", "minimum": 0 },
                },
                "required": ["fuel", "cpu_ms", "peak_memory_bytes"],
            },
        },
        "required": [
            "order_id", "result_uri", "result_hash", "execution_time_ms", "status", "error_message", "commitment",
            "commitment_hash", "commitment_uri", "backend", "resources",
        ],
    })
}

/// A CommitResult as a client sends it: what is null may be left out.
fn claim() -> Value {
    let mut claim = commit_result();
    claim["required"] = json!([
        "order_id",
        "execution_time_ms",
        "status",
        "commitment",
        "commitment_hash",
        "commitment_uri",
        "backend",
        "resources",
    ]);
    claim
}

fn divergence() -> Value {
    json!({
        "type": "object",
        "properties": {
            "difference": {
                "type": "object",
                "properties": {
                    "path": { "type": ["string", "null"] },
                    "byte": { "type": ["integer", "null"], "minimum": 0 },
                    "pointer": { "type": ["string", "null"] },
                    "committed": { "type": "string" },
                    "replayed": { "type": "string" },
                },
                "required": ["path", "byte", "pointer", "committed", "replayed"],
            },
            "event": nullable(&json!({
                "type": "object",
                "properties": {
                    "kind": { "enum": ["call", "end"] },
                    "number": { "type": "integer", "minimum": 0 },
                    "what": { "type": "string" },
                    "contradicts": { "type": "string" },
                    "fuel": { "type": "integer", "minimum": 0 },
                },
                "required": ["kind", "number", "what", "contradicts", "fuel"],
            })),
            "no_event": { "type": ["string", "null"] },
            "fuel": { "type": "integer", "minimum": 0 },
            "repeated": { "type": ["boolean", "null"] },
        },
        "required": ["difference", "event", "no_event", "fuel", "repeated"],
    })
}

fn verify_result() -> Value {
    json!({
        "type": "object",
        "properties": {
            "is_valid": { "type": "boolean" },
            "verdict": {
                "enum": ["matched", "hash_only", "diverged", "tampered", "unavailable", "unanchored", "unverifiable"],
            },
            "method": { "enum": ["replay", "hash"] },
            "expected_hash": { "type": "string" },
            "actual_hash": { "type": ["string", "null"] },
            "error": { "type": ["string", "null"] },
            "checks": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": { "type": "string" },
                        "status": { "enum": ["passed", "failed", "skipped"] },
                        "detail": { "type": ["string", "null"] },
                    },
                    "required": ["name", "status", "detail"],
                },
            },
            "divergence": nullable(&reference("Divergence")),
        },
        "required": ["is_valid", "verdict", "method", "expected_hash", "actual_hash", "error", "checks"],
    })
}

fn event() -> Value {
    json!({
        "type": "object",
        "properties": {
            "at": time(),
            "attempt": { "type": "integer", "minimum": 0 },
            "kind": { "enum": ["accepted", "running", "verifying", "retrying", "returned", "cancelling", "finished"] },
            "detail": { "type": ["string", "null"] },
        },
        "required": ["at", "attempt", "kind", "detail"],
        "additionalProperties": false,
    })
}

fn verify_request() -> Value {
    json!({
        "oneOf": [
            {
                "type": "object",
                "properties": { "order_id": reference("OrderId") },
                "required": ["order_id"],
                "additionalProperties": false,
            },
            {
                "type": "object",
                "properties": { "claim": reference("Claim"), "reported_output": {} },
                "required": ["claim"],
                "additionalProperties": false,
            },
        ],
    })
}
