//! Looks at a schema before it is compiled: which schema leads to which.
//!
//! Refuses what would need another document, what refers to itself without going into the value (it would never end)
//! and what would be applied to one value more than [`PATHS_LIMIT`] times (a short schema can ask for 2¹⁰⁰⁰). Plants
//! the meter. It does not check that keywords have values of the right type; the compiler does.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::meter::METER_KEYWORD;

/// Most ways in which one schema may be applied to one and the same value.
const PATHS_LIMIT: u64 = 10_000;
/// Longest chain of schemas applied to one and the same value.
const CHAIN_LIMIT: usize = 200;
/// Most schemas with subschemas or references.
const NODES_LIMIT: usize = 1024;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A schema that is not compiled. `at` is a JSON pointer into the schema.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GraphError {
    #[error("$schema at {at:?} is {found}; only {DRAFT:?} is supported")]
    Draft { at: String, found: String },
    #[error("$id at {at:?} is inside the schema; only the whole schema may have one")]
    NestedId { at: String },
    #[error(
        "the reference {reference:?} at {at:?} leads out of the schema; copy its target under \"$defs\" and refer \
         to \"#/$defs/…\""
    )]
    External { at: String, reference: String },
    #[error("the reference {reference:?} at {at:?} leads nowhere; name a subschema such as \"#/$defs/…\"")]
    Dangling { at: String, reference: String },
    #[error("the schema at {at:?} refers to itself without going into the value; remove the loop")]
    Loop { at: String },
    #[error("the schema at {at:?} applies too many others to one value; simplify it")]
    TooComplex { at: String },
    #[error("the schema at {at:?} is one too many with subschemas: at most {NODES_LIMIT}; simplify it")]
    TooMany { at: String },
    #[error("the keyword {METER_KEYWORD:?} at {at:?} is reserved; remove it")]
    Reserved { at: String },
}

/// What was learned.
pub(crate) struct Prepared {
    /// The schema with the meter planted.
    pub(crate) schema: Value,
    /// Whether it has references, so that compiling may need a deep stack.
    pub(crate) has_references: bool,
}

/// Checks `schema`, whose nesting is bounded.
pub(crate) fn prepare(schema: &Value) -> Result<Prepared, GraphError> {
    let mut graph = Graph::default();
    let mut schema = schema.clone();
    graph.walk(&mut schema, String::new())?;
    graph.resolve()?;
    let mut paths = vec![Visit::New; graph.nodes.len()];
    for node in 0..graph.nodes.len() {
        graph.count(node, 0, &mut paths)?;
    }
    Ok(Prepared { schema, has_references: !graph.references.is_empty() })
}

#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    by_pointer: HashMap<String, usize>,
    by_anchor: HashMap<String, usize>,
    references: Vec<(usize, String)>,
    planted: usize,
}

struct Node {
    pointer: String,
    /// Schemas that are applied to the same value.
    in_place: Vec<usize>,
}

#[derive(Clone, Copy)]
enum Visit {
    New,
    Open,
    Paths(u64),
}

/// What the value of a keyword holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    /// A value that is compared or shown, whatever it looks like.
    Ignored,
    /// An object of schemas by name.
    Map,
    /// A schema, which may be `true` or `false`, or a list of them.
    Schema,
    /// The place of a schema.
    Reference,
    /// Schemas where there are objects: a reference may lead into keywords that nobody knows.
    Other,
}

impl Keyword {
    fn of(name: &str) -> Self {
        match name {
            "const" | "enum" | "default" | "examples" => Self::Ignored,
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" | "dependencies" => {
                Self::Map
            }
            "not" | "if" | "then" | "else" | "items" | "additionalProperties" => Self::Schema,
            "$ref" | "$dynamicRef" => Self::Reference,
            _ => Self::Other,
        }
    }
}

/// Whether a keyword applies its schemas to the value itself and not to a part of it.
fn is_in_place(keyword: &str) -> bool {
    matches!(
        keyword,
        "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" | "dependentSchemas" | "dependencies"
    )
}

/// The schemas in the value of a keyword, each with its JSON pointer from there.
fn subschemas<'a>(keyword: &str, value: &'a mut Value) -> Vec<(String, &'a mut Value)> {
    match (Keyword::of(keyword), value) {
        (Keyword::Ignored, _) => Vec::new(),
        (Keyword::Map, Value::Object(schemas)) => {
            schemas.iter_mut().map(|(name, schema)| (format!("/{}", escape(name)), schema)).collect()
        }
        (_, schema @ Value::Object(_)) | (Keyword::Schema, schema @ Value::Bool(_)) => vec![(String::new(), schema)],
        (_, Value::Array(schemas)) => {
            let numbered = schemas.iter_mut().enumerate().map(|(number, schema)| (format!("/{number}"), schema));
            numbered.filter(|(_, schema)| matches!(schema, Value::Object(_) | Value::Bool(_))).collect()
        }
        _ => Vec::new(),
    }
}

impl Graph {
    /// Visits the schema at `pointer` and everything below it; returns its node.
    fn walk(&mut self, schema: &mut Value, pointer: String) -> Result<usize, GraphError> {
        let index = self.nodes.len();
        self.by_pointer.insert(pointer.clone(), index);
        self.nodes.push(Node { pointer: pointer.clone(), in_place: Vec::new() });
        let Value::Object(members) = schema else { return Ok(index) };
        self.check_identity(index, members)?;
        let mut leads_on = false;
        for (keyword, value) in members.iter_mut() {
            leads_on |= Keyword::of(keyword) == Keyword::Reference;
            let mut targets = Vec::new();
            for (place, schema) in subschemas(keyword, value) {
                targets.push(self.walk(schema, format!("{pointer}/{}{place}", escape(keyword)))?);
            }
            leads_on |= !targets.is_empty();
            if is_in_place(keyword) {
                self.nodes[index].in_place.extend(targets);
            }
        }
        if leads_on {
            self.plant(members, &pointer)?;
        }
        Ok(index)
    }

    /// The keywords that say what a schema is and where it refers to.
    fn check_identity(&mut self, index: usize, members: &Map<String, Value>) -> Result<(), GraphError> {
        let at = self.nodes[index].pointer.clone();
        if members.contains_key(METER_KEYWORD) {
            return Err(GraphError::Reserved { at });
        }
        if let Some(draft) = members.get("$schema")
            && draft.as_str().map(|uri| uri.trim_end_matches('#')) != Some(DRAFT)
        {
            return Err(GraphError::Draft { at, found: short(&draft.to_string()) });
        }
        if members.contains_key("$id") && index > 0 {
            return Err(GraphError::NestedId { at });
        }
        for keyword in ["$anchor", "$dynamicAnchor"] {
            if let Some(Value::String(name)) = members.get(keyword) {
                self.by_anchor.insert(name.clone(), index);
            }
        }
        for keyword in ["$ref", "$dynamicRef"] {
            if let Some(Value::String(reference)) = members.get(keyword) {
                if !reference.starts_with('#') {
                    return Err(GraphError::External { at, reference: short(reference) });
                }
                self.references.push((index, reference.clone()));
            }
        }
        Ok(())
    }

    /// Adds the meter as a further member of `allOf`, which is reached before a reference is followed.
    fn plant(&mut self, members: &mut Map<String, Value>, pointer: &str) -> Result<(), GraphError> {
        self.planted += 1;
        if self.planted > NODES_LIMIT {
            return Err(GraphError::TooMany { at: pointer.to_owned() });
        }
        if let Value::Array(schemas) = members.entry("allOf").or_insert_with(|| json!([])) {
            schemas.push(json!({ METER_KEYWORD: true }));
        }
        Ok(())
    }

    fn resolve(&mut self) -> Result<(), GraphError> {
        for (from, reference) in &self.references {
            let fragment = percent_decode(reference.strip_prefix('#').unwrap_or(reference));
            let target = match fragment.as_str() {
                "" => Some(&0),
                pointer if pointer.starts_with('/') => self.by_pointer.get(pointer),
                anchor => self.by_anchor.get(anchor),
            };
            let Some(&target) = target else {
                let at = self.nodes[*from].pointer.clone();
                return Err(GraphError::Dangling { at, reference: short(reference) });
            };
            self.nodes[*from].in_place.push(target);
        }
        Ok(())
    }

    /// The number of schemas that applying `node` to one value applies to it, itself included.
    fn count(&self, node: usize, depth: usize, visits: &mut [Visit]) -> Result<u64, GraphError> {
        let at = || self.nodes[node].pointer.clone();
        match visits[node] {
            Visit::Paths(paths) => return Ok(paths),
            Visit::Open => return Err(GraphError::Loop { at: at() }),
            Visit::New if depth > CHAIN_LIMIT => return Err(GraphError::TooComplex { at: at() }),
            Visit::New => visits[node] = Visit::Open,
        }
        let mut paths = 1u64;
        for &target in &self.nodes[node].in_place {
            paths = paths.saturating_add(self.count(target, depth + 1, visits)?);
        }
        if paths > PATHS_LIMIT {
            return Err(GraphError::TooComplex { at: at() });
        }
        visits[node] = Visit::Paths(paths);
        Ok(paths)
    }
}

/// One part of a JSON pointer (RFC 6901).
fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

/// The fragment of a URI reference (RFC 3986); what is not UTF-8 afterwards matches nothing.
fn percent_decode(fragment: &str) -> String {
    let bytes = fragment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.extend(u8::try_from(high * 16 + low));
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}
