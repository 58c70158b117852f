//! Compares two JSON documents and prints the JSON Patch (RFC 6902) that turns the first into the
//! second.
//!
//! Object members are visited in order of their names; arrays are aligned along a longest common
//! subsequence, so that an inserted item is one `add` and not a rewrite of all that follows. The
//! patch uses `add`, `remove` and `replace` only and applies strictly in order. The same two
//! documents always give the same patch.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Alignment needs a table of `before` × `after` cells of 4 bytes; beyond this many cells items are
/// compared by position.
const ALIGNMENT_LIMIT_CELLS: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    before: Value,
    after: Value,
}

#[derive(Debug, Serialize)]
struct Report {
    equal: bool,
    summary: Summary,
    patch: Vec<Operation>,
}

/// How many operations of each kind.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Summary {
    add: usize,
    remove: usize,
    replace: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Operation {
    Add { path: String, value: Value },
    Remove { path: String },
    Replace { path: String, value: Value },
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let input: Input = serde_json::from_str(&io::read_to_string(io::stdin())?)?;
    println!("{}", serde_json::to_string(&report(input))?);
    Ok(())
}

fn report(input: Input) -> Report {
    let mut patch = Vec::new();
    diff(
        &normalise(input.before),
        &normalise(input.after),
        "",
        &mut patch,
    );
    let mut summary = Summary::default();
    for operation in &patch {
        match operation {
            Operation::Add { .. } => summary.add += 1,
            Operation::Remove { .. } => summary.remove += 1,
            Operation::Replace { .. } => summary.replace += 1,
        }
    }
    Report {
        equal: patch.is_empty(),
        summary,
        patch,
    }
}

/// RFC 6902 §4.6: numbers are equal when their values are, so `1.0` becomes `1`.
fn normalise(value: Value) -> Value {
    match value {
        Value::Number(n) => match n.as_f64() {
            Some(x) if n.is_f64() && x.fract() == 0.0 && x.abs() <= 9_007_199_254_740_992.0 => {
                (x as i64).into()
            }
            _ => Value::Number(n),
        },
        Value::Array(items) => items.into_iter().map(normalise).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, normalise(value)))
            .collect(),
        other => other,
    }
}

/// Appends what turns `before` into `after`; both stand at the JSON Pointer `path`.
fn diff(before: &Value, after: &Value, path: &str, patch: &mut Vec<Operation>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for name in before.keys().filter(|name| !after.contains_key(*name)) {
                patch.push(Operation::Remove {
                    path: child(path, name),
                });
            }
            for (name, value) in after {
                match before.get(name) {
                    Some(old) => diff(old, value, &child(path, name), patch),
                    None => patch.push(Operation::Add {
                        path: child(path, name),
                        value: value.clone(),
                    }),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => diff_arrays(before, after, path, patch),
        _ if before == after => {}
        _ => patch.push(Operation::Replace {
            path: path.to_owned(),
            value: after.clone(),
        }),
    }
}

/// Left of `j` the patched array already equals `after`, so `j` is always the index that an
/// operation must name.
fn diff_arrays(before: &[Value], after: &[Value], path: &str, patch: &mut Vec<Operation>) {
    let (mut i, mut j) = (0, 0);
    let mut common = common_items(before, after);
    common.push((before.len(), after.len()));
    for (next_i, next_j) in common {
        // Between two common items: what stands on both sides was edited, the rest was removed or
        // added.
        while i < next_i && j < next_j {
            diff(&before[i], &after[j], &child(path, &j.to_string()), patch);
            (i, j) = (i + 1, j + 1);
        }
        for _ in i..next_i {
            patch.push(Operation::Remove {
                path: child(path, &j.to_string()),
            });
        }
        for (index, value) in after.iter().enumerate().take(next_j).skip(j) {
            patch.push(Operation::Add {
                path: child(path, &index.to_string()),
                value: value.clone(),
            });
        }
        (i, j) = (next_i + 1, next_j + 1);
    }
}

/// Index pairs of a longest common subsequence, ascending.
fn common_items(before: &[Value], after: &[Value]) -> Vec<(usize, usize)> {
    // Equal items get equal numbers, so that the table compares integers and not documents.
    let mut numbers = BTreeMap::new();
    let mut number_of = |value: &Value| {
        let next = numbers.len();
        *numbers.entry(value.to_string()).or_insert(next)
    };
    let a: Vec<usize> = before.iter().map(&mut number_of).collect();
    let b: Vec<usize> = after.iter().map(&mut number_of).collect();

    let prefix = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let suffix = a[prefix..]
        .iter()
        .rev()
        .zip(b[prefix..].iter().rev())
        .take_while(|(x, y)| x == y)
        .count();
    let (end_a, end_b) = (a.len() - suffix, b.len() - suffix);

    let mut pairs: Vec<_> = (0..prefix).map(|k| (k, k)).collect();
    let middle = longest_common_subsequence(&a[prefix..end_a], &b[prefix..end_b]);
    pairs.extend(middle.into_iter().map(|(i, j)| (prefix + i, prefix + j)));
    pairs.extend((0..suffix).map(|k| (end_a + k, end_b + k)));
    pairs
}

fn longest_common_subsequence(a: &[usize], b: &[usize]) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    if (a.len() + 1).saturating_mul(width) > ALIGNMENT_LIMIT_CELLS {
        eprintln!(
            "arrays of {} and {} differing items are compared by position",
            a.len(),
            b.len()
        );
        return Vec::new();
    }
    // lengths[i * width + j]: the length for the tails a[i..] and b[j..].
    let mut lengths = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i * width + j] = if a[i] == b[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Extends a JSON Pointer (RFC 6901) by one member name or index.
fn child(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patch(before: &Value, after: &Value) -> Vec<Operation> {
        report(Input {
            before: before.clone(),
            after: after.clone(),
        })
        .patch
    }

    /// The parts of RFC 6902 that a patch of ours uses.
    fn apply(document: &mut Value, operation: Operation) {
        let (path, value) = match operation.clone() {
            Operation::Add { path, value } | Operation::Replace { path, value } => (path, value),
            Operation::Remove { path } => (path, Value::Null),
        };
        let Some((parent, name)) = path.rsplit_once('/') else {
            *document = value;
            return;
        };
        let name = name.replace("~1", "/").replace("~0", "~");
        match (
            document.pointer_mut(parent).expect("the parent exists"),
            operation,
        ) {
            (Value::Array(items), Operation::Add { .. }) => {
                items.insert(name.parse().expect("an index"), value)
            }
            (Value::Array(items), Operation::Remove { .. }) => {
                drop(items.remove(name.parse().expect("an index")))
            }
            (Value::Array(items), Operation::Replace { .. }) => {
                items[name.parse::<usize>().expect("an index")] = value
            }
            (Value::Object(members), Operation::Add { .. }) => {
                assert_eq!(members.insert(name, value), None)
            }
            (Value::Object(members), Operation::Remove { .. }) => {
                assert!(members.remove(&name).is_some())
            }
            (Value::Object(members), Operation::Replace { .. }) => {
                assert!(members.insert(name, value).is_some())
            }
            (other, _) => panic!("{path} is inside {other}"),
        }
    }

    /// A small document, from a linear congruential generator.
    fn document(seed: &mut u64, depth: u32) -> Value {
        let mut draw = |n: u64| {
            *seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (*seed >> 33) % n
        };
        let (kind, length) = (draw(6), draw(5));
        match kind {
            0 | 1 if depth > 0 => (0..length).map(|_| document(seed, depth - 1)).collect(),
            2 | 3 if depth > 0 => ["a", "b/c", "~", ""]
                .iter()
                .take(length as usize)
                .map(|n| (*n, document(seed, depth - 1)))
                .collect(),
            4 => json!(null),
            _ => json!(length),
        }
    }

    #[test]
    fn applying_the_patch_gives_the_second_document() {
        let mut seed = 1;
        for _ in 0..5_000 {
            let (mut before, after) = (document(&mut seed, 4), document(&mut seed, 4));
            for operation in patch(&before, &after) {
                apply(&mut before, operation);
            }
            assert_eq!(before, after);
            assert_eq!(patch(&before, &after), []);
        }
    }

    #[test]
    fn an_inserted_item_is_one_operation() {
        let added = Operation::Add {
            path: "/0".into(),
            value: json!("new"),
        };
        assert_eq!(patch(&json!([1, 2, 3]), &json!(["new", 1, 2, 3])), [added]);
    }

    #[test]
    fn names_are_escaped_in_paths() {
        assert_eq!(
            patch(&json!({"a/b~c": 1}), &json!({})),
            [Operation::Remove {
                path: "/a~1b~0c".into()
            }]
        );
    }

    #[test]
    fn numbers_are_compared_by_value() {
        assert_eq!(patch(&json!([1.0, -0.0]), &json!([1, 0])), []);
    }
}
