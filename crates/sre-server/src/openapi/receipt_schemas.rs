//! The schemas of receipts and verdicts.

use serde_json::{Value, json};

use super::schemas::{nullable, reference, time};

pub(super) fn receipt_schemas() -> Value {
    json!({
        "Finality": finality(),
        "Envelope": envelope(),
        "Receipt": receipt(),
        "VerdictTaken": verdict_taken(),
        "Verdicts": verdicts(),
        "Coverage": coverage(),
        "Audit": audit(),
    })
}

/// A DSSE envelope. What is in it has schemas of its own (`docs/schemas`).
fn envelope() -> Value {
    let signature = json!({
        "type": "object",
        "properties": { "keyid": reference("Digest"), "sig": { "type": "string" } },
        "required": ["keyid", "sig"],
    });
    json!({
        "type": "object",
        "properties": {
            "payload": { "type": "string", "description": "An in-toto statement, canonical JSON, in base64" },
            "payloadType": { "const": "application/vnd.in-toto+json" },
            "signatures": { "type": "array", "items": signature, "minItems": 1, "maxItems": 1 },
        },
        "required": ["payload", "payloadType", "signatures"],
        "additionalProperties": false,
    })
}

fn receipt() -> Value {
    json!({
        "type": "object",
        "properties": {
            "order_id": reference("OrderId"),
            "status": { "enum": ["pending", "logged"] },
            "digest": nullable(&reference("Digest")),
            "position": { "type": ["integer", "null"], "minimum": 0 },
            "receipt": nullable(&reference("Envelope")),
            "proof": { "type": ["string", "null"], "description": "As C2SP tlog-proof has it" },
        },
        "required": ["order_id", "status", "digest", "position", "receipt", "proof"],
        "additionalProperties": false,
    })
}

fn finality() -> Value {
    json!({
        "type": "object",
        "properties": {
            "required": { "type": "integer", "minimum": 1 },
            "matched": { "type": "integer", "minimum": 0 },
            "disputed": { "type": "integer", "minimum": 0 },
            "is_final": { "type": "boolean" },
            "final_at": nullable(&time()),
        },
        "required": ["required", "matched", "disputed", "is_final", "final_at"],
        "additionalProperties": false,
    })
}

fn verdict_taken() -> Value {
    json!({
        "type": "object",
        "properties": {
            "order_id": reference("OrderId"),
            "key": reference("Digest"),
            "finality": nullable(&reference("Finality")),
        },
        "required": ["order_id", "key", "finality"],
        "additionalProperties": false,
    })
}

fn verdicts() -> Value {
    let verdict = json!({
        "type": "object",
        "properties": {
            "key": reference("Digest"),
            "verdict": {
                "enum": ["matched", "hash_only", "diverged", "tampered", "unavailable", "unanchored", "unverifiable"],
            },
            "checked_at": time(),
            "received_at": time(),
            "envelope": reference("Digest"),
        },
        "required": ["key", "verdict", "checked_at", "received_at", "envelope"],
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "properties": {
            "order_id": reference("OrderId"),
            "finality": nullable(&reference("Finality")),
            "verdicts": { "type": "array", "items": verdict },
        },
        "required": ["order_id", "finality", "verdicts"],
        "additionalProperties": false,
    })
}

fn coverage() -> Value {
    let count = json!({ "type": "integer", "minimum": 0 });
    let share = json!({ "type": "number", "minimum": 0, "maximum": 1 });
    json!({
        "type": "object",
        "properties": {
            "receipts": count,
            "checked": count,
            "matched": count,
            "disputed": count,
            "inconclusive": count,
            "share_checked": share,
            "undetected_share_95": nullable(&share),
        },
        "required": [
            "receipts", "checked", "matched", "disputed", "inconclusive", "share_checked", "undetected_share_95",
        ],
        "additionalProperties": false,
    })
}

fn audit() -> Value {
    let count = json!({ "type": "integer", "minimum": 0 });
    let lost = json!({
        "type": "object",
        "properties": {
            "digest": reference("Digest"),
            "problem": { "type": "string" },
            "orders": { "type": "array", "items": { "type": "string" } },
        },
        "required": ["digest", "problem", "orders"],
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "properties": {
            "audited_at": nullable(&time()),
            "receipts": count,
            "forgotten": count,
            "unread": count,
            "blobs": count,
            "bytes": count,
            "lost": { "type": "array", "items": lost },
        },
        "required": ["audited_at", "receipts", "forgotten", "unread", "blobs", "bytes", "lost"],
        "additionalProperties": false,
    })
}
