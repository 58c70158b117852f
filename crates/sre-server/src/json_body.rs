//! JSON bodies: parsed strictly, and within the memory that is there for them.
//!
//! A JSON text of a few bytes can stand for many values: `[0,0,…]` takes thirty times its size as a
//! tree, `[{"":0},…]` a hundred times. So what a tree can take is counted in the text before it is
//! made, asked for like the memory of the body, and given back when the tree is dropped, wherever
//! that is: permit and value are one thing.

use std::ops::Deref;

use axum::body::Body;
use axum::http::HeaderMap;
use serde_json::Value;
use sre_core::{ErrorCode, canonical_json};
use sre_service::Caller;

use crate::body::{Memory, Received, SMALL_BYTES, blocking, media_type, read};
use crate::{App, Problem};

/// What parts of a text can take as a tree, in bytes: measured on a 64-bit machine, and rounded up.
/// An array has room for four values, and twice as many when it is full; a map begins with a node
/// for eleven members.
const ARRAY_BYTES: usize = 192;
const ITEM_BYTES: usize = 64;
const MAP_BYTES: usize = 704;
const MEMBER_BYTES: usize = 160;
const TEXT_BYTES: usize = 32;

/// A JSON value, and the memory that it was granted.
pub(crate) struct JsonBody {
    value: Value,
    memory: [Memory; 2],
    is_small: bool,
}

impl JsonBody {
    /// Whether what reads it through may do so on a thread that must not block.
    pub(crate) fn is_small(&self) -> bool {
        self.is_small
    }

    /// Takes the value out. The memory is to be kept as long as it, or what was made of it, is
    /// used.
    pub(crate) fn into_parts(self) -> (Value, [Memory; 2]) {
        (self.value, self.memory)
    }
}

impl Deref for JsonBody {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

/// Reads a JSON body of at most `limit_bytes`, strictly.
///
/// # Errors
/// As [`read`]; 415 for another media type, 400 for what is no JSON, 413 for more values than the
/// service has memory for.
pub(crate) async fn read_json(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
    limit_bytes: usize,
) -> Result<JsonBody, Problem> {
    let media_type = media_type(headers);
    if media_type != "application/json" {
        let detail = format!("the body must be application/json, found {media_type:?}");
        return Err(Problem::new(ErrorCode::MediaTypeUnsupported, detail));
    }
    parse(
        app,
        caller,
        read(app, caller, headers, body, limit_bytes).await?,
    )
    .await
}

/// Parses a body. It keeps its memory to the end, even if the request is gone by then.
///
/// # Errors
/// As [`read_json`].
pub(crate) async fn parse(
    app: &App,
    caller: &Caller,
    received: Received,
) -> Result<JsonBody, Problem> {
    let (bodies, limit, caller) = (
        app.bodies.clone(),
        app.options.bodies_limit_bytes,
        caller.name().to_owned(),
    );
    let is_small = received.bytes.len() <= SMALL_BYTES;
    let parse = move || {
        let Received { bytes, memory } = received;
        let cost = tree_bytes(&bytes);
        if cost > limit {
            let detail =
                format!("the body holds too many values: they would need {cost} bytes of {limit}");
            return Err(Problem::new(ErrorCode::BodyTooLarge, detail));
        }
        let tree = if cost > SMALL_BYTES {
            Memory::take(&bodies, &caller, cost)?
        } else {
            Memory::default()
        };
        let value = canonical_json::parse(&bytes).map_err(|error| {
            Problem::new(
                ErrorCode::JsonInvalid,
                format!("the body is not valid JSON: {error}"),
            )
        })?;
        Ok(JsonBody {
            value,
            memory: [memory, tree],
            is_small,
        })
    };
    if is_small {
        parse()
    } else {
        blocking(parse).await
    }
}

/// The most that the tree of this text can take. Malformed text is parsed up to the first error,
/// and is read here as the parser would up to there.
fn tree_bytes(text: &[u8]) -> usize {
    let (mut cost, mut at) = (ITEM_BYTES, 0);
    while at < text.len() {
        cost += match text[at] {
            b'"' => {
                let start = at;
                at += 1;
                while at < text.len() && text[at] != b'"' {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
                TEXT_BYTES + (at - start)
            }
            b'[' => ARRAY_BYTES,
            b'{' => MAP_BYTES,
            b':' => MEMBER_BYTES,
            b',' => ITEM_BYTES,
            _ => 0,
        };
        at += 1;
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_much_is_counted_and_what_is_text_is_not() {
        let text = format!("{{\"files\":{{\"a\":{:?}}}}}", "x".repeat(1 << 20));
        assert!(tree_bytes(text.as_bytes()) < (1 << 20) + 2500);
        assert!(tree_bytes(b"[0,0,0,0,0,0,0,0]") > 8 * 32);
        assert!(tree_bytes("[{\"\":0}]".repeat(100).as_bytes()) > 100 * 632);
        // Neither quotes nor brackets within a text are any.
        assert_eq!(
            tree_bytes(br#""\"[[[{{{,,,\\""#),
            tree_bytes(br#""aaaaaaaaaaaaa""#)
        );
        for broken in [&b"\""[..], b"\"\\", b"", b"[[[", b"\xff"] {
            assert!(tree_bytes(broken) >= ITEM_BYTES);
        }
    }
}
