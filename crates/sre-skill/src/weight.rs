//! What it costs to apply one schema to one value, without the schemas that it leads to.
//!
//! Counted in units of about 4 ns: comparing two short texts. An upper bound for what the
//! `jsonschema` crate does, by keyword; a function of schema and value alone, so that whoever
//! replays an order counts the same. A schema whose cost is bounded by a few units whatever the
//! value is *light* and not weighed: who leads to it pays for it.

use serde_json::{Map, Value};

/// A schema that leads to others: one step.
pub(crate) const STEP_UNITS: u64 = 64;
/// To find one member by name, or to apply one light schema.
const NAME_UNITS: u64 = 4;
/// To compare or hash an object; it is a tree.
const OBJECT_UNITS: u64 = 32;
/// Comparisons that finding doubles may need for each item.
const UNIQUE_FACTOR: u64 = 8;
/// Bytes of text that are compared or counted in one unit.
const TEXT_BYTES: u64 = 16;
/// Longest list of options of a light schema.
const LIGHT_UNITS: u64 = 64;

/// What one schema weighs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weight {
    /// Whatever the value is.
    fixed: u64,
    /// For each [`TEXT_BYTES`] of a text.
    text: u64,
    /// For each member of an object or item of an array.
    members: u64,
    /// For each [`TEXT_BYTES`] of an object's names.
    names: u64,
    /// Times the size of an array and everything in it.
    items: u64,
}

/// Whether the schema's cost is bounded by a few units. It leads to no other.
pub(crate) fn is_light(schema: &Map<String, Value>) -> bool {
    schema
        .iter()
        .all(|(keyword, value)| match keyword.as_str() {
            "type" | "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum"
            | "multipleOf" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
            | "format" | "title" | "description" | "default" | "examples" | "deprecated"
            | "readOnly" | "writeOnly" | "$comment" => true,
            "enum" | "const" => comparison(value, LIGHT_UNITS) < LIGHT_UNITS,
            _ => false,
        })
}

impl Weight {
    /// Weighs a schema; `leads_on` if it leads to others, of which `inside` stand in it.
    pub(crate) fn new(schema: &Map<String, Value>, leads_on: bool, inside: u64) -> Self {
        let mut weight = Self::default();
        if leads_on {
            weight.fixed = STEP_UNITS;
            weight.members = NAME_UNITS;
        }
        if ["unevaluatedProperties", "unevaluatedItems"]
            .iter()
            .any(|keyword| schema.contains_key(*keyword))
        {
            // Each member is looked for in each of them.
            weight.members += inside * NAME_UNITS;
        }
        for (keyword, value) in schema {
            weight.add(keyword, value);
        }
        weight.fixed = weight.fixed.max(NAME_UNITS);
        weight
    }

    fn add(&mut self, keyword: &str, value: &Value) {
        let entries = match value {
            Value::Array(items) => items.len() as u64,
            Value::Object(members) => members.len() as u64,
            _ => 0,
        };
        match keyword {
            "enum" | "const" => self.fixed += comparison(value, u64::MAX),
            "required" | "properties" | "allOf" | "anyOf" | "oneOf" | "prefixItems"
            | "dependentSchemas" => {
                self.fixed += entries * NAME_UNITS;
            }
            "dependentRequired" | "dependencies" => {
                self.fixed += NAME_UNITS * comparison(value, u64::MAX)
            }
            "minLength" | "maxLength" => self.text += 1,
            "pattern" => self.text += value.as_str().map_or(0, pattern),
            // Matched once more for `additionalProperties` and `unevaluatedProperties`.
            "patternProperties" => {
                let patterns = value.as_object().into_iter().flat_map(Map::keys);
                self.names += 2 * patterns.map(|text| pattern(text)).sum::<u64>();
            }
            "uniqueItems" => self.items += UNIQUE_FACTOR,
            _ => {}
        }
    }

    /// The units that applying the schema to `value` takes; anything above `limit` may be returned
    /// as a lower number that is above it too.
    pub(crate) fn of(&self, value: &Value, limit: u64) -> u64 {
        let per_text = |bytes: usize| bytes as u64 / TEXT_BYTES + 1;
        let more = match value {
            Value::String(text) => self.text * per_text(text.len()),
            Value::Array(items) => {
                let deep = if self.items > 0 {
                    comparison(value, limit).saturating_mul(self.items)
                } else {
                    0
                };
                deep.saturating_add(self.members * items.len() as u64)
            }
            Value::Object(members) => {
                let names = if self.names > 0 {
                    members.keys().map(|name| per_text(name.len())).sum()
                } else {
                    0
                };
                self.members * members.len() as u64 + self.names * names
            }
            _ => 0,
        };
        self.fixed.saturating_add(more)
    }
}

/// What comparing something with `value` takes at most; counting stops above `limit`.
fn comparison(value: &Value, limit: u64) -> u64 {
    let sum = |sum: u64, more: u64| sum.saturating_add(more);
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len() as u64 / TEXT_BYTES,
        Value::Array(items) => {
            let mut units = NAME_UNITS;
            for item in items {
                units = sum(units, comparison(item, limit));
                if units > limit {
                    break;
                }
            }
            units
        }
        Value::Object(members) => {
            let mut units = OBJECT_UNITS;
            for (name, member) in members {
                units = sum(
                    units,
                    sum(
                        NAME_UNITS + name.len() as u64 / TEXT_BYTES,
                        comparison(member, limit),
                    ),
                );
                if units > limit {
                    break;
                }
            }
            units
        }
    }
}

/// What matching a pattern takes for each [`TEXT_BYTES`] of text: it grows with the states that its
/// automaton may be in at once, which are about its characters, each as often as the counted
/// repetitions around it say.
fn pattern(text: &str) -> u64 {
    let mut states = 0u64;
    // Of the open groups, what stood before them; and the size of what a repetition would repeat.
    let mut open = Vec::new();
    let mut last = 0u64;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '(' => {
                open.push(states);
                last = 0;
            }
            ')' => last = states.saturating_sub(open.pop().unwrap_or(0)).max(1),
            '{' => {
                let counts: String = rest.by_ref().take_while(|c| *c != '}').collect();
                let most = counts
                    .split(',')
                    .filter_map(|n| n.trim().parse::<u64>().ok())
                    .max()
                    .unwrap_or(1);
                states = states.saturating_add(last.saturating_mul(most.saturating_sub(1)));
                last = last.saturating_mul(most.max(1));
            }
            '*' | '+' | '?' | '|' => {}
            _ => {
                if c == '\\' {
                    rest.next();
                }
                if c == '[' {
                    // A class is one state, and what it lists costs nothing when matching.
                    let mut escaped = false;
                    for c in rest.by_ref() {
                        if c == ']' && !escaped {
                            break;
                        }
                        escaped = c == '\\' && !escaped;
                    }
                }
                states = states.saturating_add(1);
                last = 1;
            }
        }
    }
    TEXT_BYTES / 4 + states.min(1 << 20)
}
