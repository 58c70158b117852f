//! Looks at a schema before it is compiled: which schema leads to which.
//!
//! Refuses what would need another document, what refers to itself without going into the value (it
//! would never end) and what would be applied to one value more than [`PATHS_LIMIT`] times (a short
//! schema can ask for 2¹⁰⁰⁰) or in a chain that might not fit the stack. Plants the meter. It does
//! not check that keywords have values of the right type; the compiler does.
//!
//! The compiler puts a schema's keywords in an order of its own, in which nothing of ours comes
//! first. So a schema `S` that is not [light](crate::weight) becomes `{"allOf": [meter, S]}`, and
//! references are written anew to where their targets went.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::meter::METER_KEYWORD;
use crate::pointer::{escape, percent_decode, percent_encode};
use crate::weight::{Weight, is_light};

/// Most ways in which one schema may be applied to one and the same value.
const PATHS_LIMIT: u64 = 10_000;
/// Longest chain of schemas applied to one and the same value. Times the depth of a value it fits
/// the stack of a check.
const CHAIN_LIMIT: u64 = 64;
/// What a schema says of itself rather than of values.
const IDENTITY: [&str; 4] = ["$schema", "$id", "$anchor", "$dynamicAnchor"];
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
    #[error(
        "the reference {reference:?} at {at:?} leads nowhere; name a subschema such as \"#/$defs/…\""
    )]
    Dangling { at: String, reference: String },
    #[error("the schema at {at:?} refers to itself without going into the value; remove the loop")]
    Loop { at: String },
    #[error("the schema at {at:?} applies too many others to one value; simplify it")]
    TooComplex { at: String },
    #[error(
        "the schema at {at:?} leads to a chain of more than {CHAIN_LIMIT} schemas that are applied to one value; shorten it"
    )]
    TooLong { at: String },
    #[error(
        "the schema at {at:?} is one too many with subschemas: at most {NODES_LIMIT}; simplify it"
    )]
    TooMany { at: String },
    #[error("the keyword {METER_KEYWORD:?} at {at:?} is reserved; remove it")]
    Reserved { at: String },
}

/// What was learned.
pub(crate) struct Prepared {
    /// The schema with the meter planted.
    pub(crate) schema: Value,
    /// The weights, by the number that the meter's keyword has.
    pub(crate) weights: Vec<Weight>,
    /// Where each schema was and where it is now.
    moved: Vec<(String, String)>,
    /// Whether it has references, so that compiling and checking may need a deep stack.
    pub(crate) has_references: bool,
}

/// Checks `schema`, whose nesting is bounded.
pub(crate) fn prepare(schema: &Value) -> Result<Prepared, GraphError> {
    let mut graph = Graph::default();
    let mut schema = schema.clone();
    graph.walk(&mut schema, String::new(), String::new())?;
    graph.resolve()?;
    graph.refer(&mut schema);
    let mut paths = vec![Visit::New; graph.nodes.len()];
    for node in 0..graph.nodes.len() {
        graph.count(node, 0, &mut paths)?;
    }
    let moved = graph
        .nodes
        .into_iter()
        .map(|node| (node.pointer, node.place))
        .collect();
    Ok(Prepared {
        schema,
        weights: graph.weights,
        moved,
        has_references: !graph.references.is_empty(),
    })
}

impl Prepared {
    /// Where the author wrote what is at `place` now, as a JSON pointer.
    pub(crate) fn written_at(&self, place: &str) -> String {
        let rest = |now: &str| {
            place
                .strip_prefix(now)
                .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let around = self
            .moved
            .iter()
            .filter_map(|(was, now)| Some((was, rest(now)?)));
        let innermost = around.min_by_key(|(_, rest)| rest.len());
        innermost.map_or_else(
            || place.to_owned(),
            |(was, rest)| format!("{was}{}", rest.strip_prefix("/allOf/1").unwrap_or(rest)),
        )
    }
}

#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    by_pointer: HashMap<String, usize>,
    by_anchor: HashMap<String, usize>,
    references: Vec<(usize, &'static str, String)>,
    /// Where references by pointer stand in the new schema, and to which node each leads.
    rewritten: Vec<(String, usize)>,
    weights: Vec<Weight>,
    leading_on: usize,
}

struct Node {
    pointer: String,
    /// Where it is in the schema that is compiled.
    place: String,
    /// Schemas that are applied to the same value.
    in_place: Vec<usize>,
}

#[derive(Clone, Copy)]
enum Visit {
    New,
    Open,
    Done { paths: u64, chain: u64 },
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
            "const" | "enum" | "default" | "examples" | "dependentRequired" | "$vocabulary" => {
                Self::Ignored
            }
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
            | "dependencies" => Self::Map,
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
        "allOf"
            | "anyOf"
            | "oneOf"
            | "not"
            | "if"
            | "then"
            | "else"
            | "dependentSchemas"
            | "dependencies"
    )
}

/// The schemas in the value of a keyword, each with its JSON pointer from there.
fn subschemas<'a>(keyword: &str, value: &'a mut Value) -> Vec<(String, &'a mut Value)> {
    match (Keyword::of(keyword), value) {
        (Keyword::Ignored, _) => Vec::new(),
        (Keyword::Map, Value::Object(schemas)) => schemas
            .iter_mut()
            .map(|(name, schema)| (format!("/{}", escape(name)), schema))
            .collect(),
        (_, schema @ Value::Object(_)) | (Keyword::Schema, schema @ Value::Bool(_)) => {
            vec![(String::new(), schema)]
        }
        (_, Value::Array(schemas)) => {
            let numbered = schemas
                .iter_mut()
                .enumerate()
                .map(|(number, schema)| (format!("/{number}"), schema));
            numbered
                .filter(|(_, schema)| matches!(schema, Value::Object(_) | Value::Bool(_)))
                .collect()
        }
        _ => Vec::new(),
    }
}

impl Graph {
    /// Visits the schema at `pointer`, which goes to `place`, and everything below it; returns its
    /// node.
    fn walk(
        &mut self,
        schema: &mut Value,
        pointer: String,
        place: String,
    ) -> Result<usize, GraphError> {
        let index = self.nodes.len();
        self.by_pointer.insert(pointer.clone(), index);
        self.nodes.push(Node {
            pointer: pointer.clone(),
            place: place.clone(),
            in_place: Vec::new(),
        });
        let Value::Object(members) = schema else {
            return Ok(index);
        };
        self.check_identity(index, members)?;
        if is_light(members) {
            return Ok(index);
        }
        let inside = format!("{place}/allOf/1");
        let mut leads_on = false;
        for (keyword, value) in members.iter_mut() {
            leads_on |= Keyword::of(keyword) == Keyword::Reference;
            let mut targets = Vec::new();
            for (at, schema) in subschemas(keyword, value) {
                let part = format!("/{}{at}", escape(keyword));
                targets.push(self.walk(
                    schema,
                    format!("{pointer}{part}"),
                    format!("{inside}{part}"),
                )?);
            }
            leads_on |= !targets.is_empty();
            if is_in_place(keyword) {
                self.nodes[index].in_place.extend(targets);
            }
        }
        self.leading_on += usize::from(leads_on);
        if self.leading_on > NODES_LIMIT {
            return Err(GraphError::TooMany { at: pointer });
        }
        let weight = Weight::new(members, leads_on, (self.nodes.len() - index) as u64);
        self.plant(members, weight);
        Ok(index)
    }

    /// Puts the meter before the schema with these members.
    fn plant(&mut self, members: &mut Map<String, Value>, weight: Weight) {
        let identity: Map<String, Value> = IDENTITY
            .iter()
            .filter_map(|keyword| members.remove_entry(*keyword))
            .collect();
        let schema = Value::Object(std::mem::replace(members, identity));
        members.insert(
            String::from("allOf"),
            json!([{ METER_KEYWORD: self.weights.len() }, schema]),
        );
        self.weights.push(weight);
    }

    /// The keywords that say what a schema is and where it refers to.
    fn check_identity(
        &mut self,
        index: usize,
        members: &Map<String, Value>,
    ) -> Result<(), GraphError> {
        let at = self.nodes[index].pointer.clone();
        if members.contains_key(METER_KEYWORD) {
            return Err(GraphError::Reserved { at });
        }
        if let Some(draft) = members.get("$schema")
            && draft.as_str().map(|uri| uri.trim_end_matches('#')) != Some(DRAFT)
        {
            return Err(GraphError::Draft {
                at,
                found: short(&draft.to_string()),
            });
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
                    return Err(GraphError::External {
                        at,
                        reference: short(reference),
                    });
                }
                self.references.push((index, keyword, reference.clone()));
            }
        }
        Ok(())
    }

    fn resolve(&mut self) -> Result<(), GraphError> {
        for (from, keyword, reference) in &self.references {
            let fragment = percent_decode(reference.strip_prefix('#').unwrap_or(reference));
            let target = match fragment.as_str() {
                "" => Some(&0),
                pointer if pointer.starts_with('/') => self.by_pointer.get(pointer),
                anchor => self.by_anchor.get(anchor),
            };
            let Some(&target) = target else {
                let at = self.nodes[*from].pointer.clone();
                return Err(GraphError::Dangling {
                    at,
                    reference: short(reference),
                });
            };
            self.nodes[*from].in_place.push(target);
            if fragment.is_empty() || fragment.starts_with('/') {
                self.rewritten.push((
                    format!("{}/allOf/1/{keyword}", self.nodes[*from].place),
                    target,
                ));
            }
        }
        Ok(())
    }

    /// Writes the references by pointer anew.
    fn refer(&self, schema: &mut Value) {
        for (from, target) in &self.rewritten {
            if let Some(reference) = schema.pointer_mut(from) {
                *reference =
                    Value::String(format!("#{}", percent_encode(&self.nodes[*target].place)));
            }
        }
    }

    /// The number of schemas that applying `node` to one value applies to it, itself included, and
    /// the longest chain of them.
    fn count(
        &self,
        node: usize,
        depth: u64,
        visits: &mut [Visit],
    ) -> Result<(u64, u64), GraphError> {
        let at = || self.nodes[node].pointer.clone();
        match visits[node] {
            Visit::Done { paths, chain } => return Ok((paths, chain)),
            Visit::Open => return Err(GraphError::Loop { at: at() }),
            // A loop is told apart from a chain only at its end, so there is room for one.
            Visit::New if depth > NODES_LIMIT as u64 => {
                return Err(GraphError::TooLong { at: at() });
            }
            Visit::New => visits[node] = Visit::Open,
        }
        let (mut paths, mut chain) = (1u64, 0u64);
        for &target in &self.nodes[node].in_place {
            let below = self.count(target, depth + 1, visits)?;
            paths = paths.saturating_add(below.0);
            chain = chain.max(below.1);
        }
        if paths > PATHS_LIMIT {
            return Err(GraphError::TooComplex { at: at() });
        }
        chain += 1;
        if chain > CHAIN_LIMIT {
            return Err(GraphError::TooLong { at: at() });
        }
        visits[node] = Visit::Done { paths, chain };
        Ok((paths, chain))
    }
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}
