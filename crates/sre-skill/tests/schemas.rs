//! Schemas: what violations say, what is refused at load, and that no schema can hang or overflow
//! the checker.

mod common;

use common::{ends, limits};
use serde_json::{Map, Value, json};
use sre_skill::{CheckError, Skill, SkillError};

fn with_schema(schema: Value) -> Result<Skill, SkillError> {
    let object = json!({"name": "x", "runtime": {"entrypoint": "main.py"},
        "io": {"input_schema": schema, "output_schema": true}, "files": {"main.py": ""}});
    Skill::from_object(&object, &limits())
}

fn violation(schema: Value, input: Value) -> String {
    with_schema(schema)
        .unwrap()
        .check_input(&input)
        .unwrap_err()
        .to_string()
}

#[test]
fn violations_name_the_place() {
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}, "a/b": {"items": {"minimum": 3}}},
        "required": ["text"], "additionalProperties": false});
    assert_eq!(
        violation(schema.clone(), json!({"text": 5})),
        "at /text: 5 is not of type \"string\""
    );
    assert_eq!(
        violation(schema.clone(), json!({})),
        "at the top level: \"text\" is a required property"
    );
    assert!(
        violation(schema.clone(), json!({"text": "", "a/b": [4, 1]}))
            .starts_with("at /a~1b/1: 1 is less than")
    );
    assert!(violation(schema.clone(), json!({"text": "", "x": 1})).contains("'x'"));
    assert!(
        with_schema(schema.clone())
            .unwrap()
            .check_input(&json!({"text": "hi"}))
            .is_ok()
    );
    assert!(
        with_schema(schema)
            .unwrap()
            .check_output(&json!(null), || false)
            .is_ok()
    );
    assert!(violation(json!({"not": {"type": "string"}}), json!("x")).contains("\"not\""));
    let long = violation(json!({"type": "string"}), json!(vec!["x"; 1000]));
    assert!(
        long.contains("is not of type") && long.len() < 500,
        "{long}"
    );
    assert!(violation(json!(false), json!(1)).starts_with("at the top level"));
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({}), |schema, _| json!({"items": schema}))
}

#[test]
fn bad_schemas_are_refused_at_load() {
    for (schema, part) in [
        (json!(5), "input_schema"),
        (json!({"type": "text"}), "/type"),
        (
            json!({"properties": {"a": {"minimum": "x"}}}),
            "\"/properties/a/minimum\"",
        ),
        (
            json!({"anyOf": [{"a": 1}, {"items": {"pattern": "("}}]}),
            "\"/anyOf/1/items/pattern\"",
        ),
        (json!({"pattern": "("}), "pattern"),
        (json!({"pattern": "(?=a)b"}), "pattern"),
        (json!({"pattern": "(a)\\1"}), "pattern"),
        (json!({"pattern": "(((a{1000}){1000}){1000})"}), "pattern"),
        (
            json!({"$ref": "https://example.com/s.json"}),
            "leads out of the schema",
        ),
        (
            json!({"properties": {"a": {"$ref": "other.json"}}}),
            "\"/properties/a\"",
        ),
        (
            json!({"$ref": "file:///etc/passwd"}),
            "leads out of the schema",
        ),
        (json!({"$ref": "#/$defs/none"}), "leads nowhere"),
        (
            json!({"default": {"type": "string"}, "items": {"$ref": "#/default"}}),
            "leads nowhere",
        ),
        (json!({"$ref": "#"}), "refers to itself"),
        (
            json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}}),
            "refers to itself",
        ),
        (
            json!({"allOf": [{"$ref": "#a"}], "$anchor": "a"}),
            "refers to itself",
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
            "draft-07",
        ),
        (json!({"items": {"$id": "https://example.com/x"}}), "$id"),
        (json!({"x-sre-meter": true}), "reserved"),
        (json!({"description": "x".repeat(70_000)}), "65536"),
        (nested(65), "deeper than 64"),
        (json!({"maximum": 9_007_199_254_740_993u64}), "2^53"),
    ] {
        let error = with_schema(schema.clone())
            .expect_err(&schema.to_string())
            .to_string();
        assert!(error.contains(part), "{error:?} lacks {part:?}");
        assert!(
            error.len() < 1000 && !error.contains("x-sre-meter\":"),
            "{error}"
        );
    }
}

#[test]
fn useful_schemas_work() {
    let tree = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.com/tree",
        "$defs": {"node": {"type": "object", "properties": {"children": {"type": "array",
            "items": {"$ref": "#/$defs/node"}}, "v": {"type": "integer"}}, "required": ["v"],
            "unevaluatedProperties": false}}, "$ref": "#/$defs/node"});
    let skill = with_schema(tree).unwrap();
    let mut value = json!({"v": 1});
    for _ in 0..60 {
        value = json!({"v": 1, "children": [value]});
    }
    skill.check_input(&value).unwrap();
    let bad = json!({"v": 1, "children": [{"v": 1, "children": [{"v": "x"}]}]});
    assert_eq!(
        skill.check_input(&bad).unwrap_err().to_string(),
        "at /children/0/children/0/v: \"x\" is not of type \"integer\""
    );
    let wide = json!({"v": 1, "children": vec![json!({"v": 1}); 20_000]});
    skill.check_input(&wide).unwrap();
    let all_of = json!({"allOf": [{"properties": {"a": true}}, {"properties": {"b": true}}], "unevaluatedProperties": false});
    let skill = with_schema(all_of).unwrap();
    skill.check_input(&json!({"a": 1, "b": 2})).unwrap();
    assert!(skill.check_input(&json!({"c": 1})).is_err());
    let escaped = json!({"$defs": {"a/b ~%": {"type": "string"}}, "$ref": "#/$defs/a~1b%20~0%25"});
    assert!(
        with_schema(escaped)
            .unwrap()
            .check_input(&json!(1))
            .is_err()
    );
    let value = (0..70).fold(json!(1), |value, _| json!([value]));
    with_schema(nested(64))
        .unwrap()
        .check_input(&value)
        .unwrap();
    assert!(violation(json!({"prefixItems": [true, false]}), json!([1, 2])).starts_with("at /1"));
}

/// Each definition asks for the next one twice.
fn doubling(levels: usize, keyword: &str, more: &Value) -> Value {
    let mut definitions = Map::new();
    for level in 0..levels {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        let mut definition = json!({keyword: [next, next]});
        for (key, value) in more.as_object().unwrap() {
            definition[key] = value.clone();
        }
        definitions.insert(format!("d{level}"), definition);
    }
    definitions.insert(format!("d{levels}"), json!({"type": "string"}));
    json!({"$defs": definitions, "$ref": "#/$defs/d0"})
}

#[test]
fn explosive_schemas_are_refused_or_stopped() {
    ends(try_explosive_schemas);
}

fn try_explosive_schemas() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let error = with_schema(doubling(200, keyword, &json!({})))
            .unwrap_err()
            .to_string();
        assert!(error.contains("too many others"), "{error}");
        let error = with_schema(doubling(
            30,
            keyword,
            &json!({"unevaluatedProperties": false}),
        ))
        .unwrap_err();
        assert!(error.to_string().contains("too many others"), "{error}");
        let skill = with_schema(doubling(
            10,
            keyword,
            &json!({"unevaluatedProperties": false}),
        ))
        .unwrap();
        let _ = skill.check_input(&json!({"a": 1}));
    }
    // Doubling with every level of the value instead.
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for more in [json!({}), json!({"unevaluatedProperties": false})] {
            let branch = json!({"properties": {"a": {"$ref": "#"}}});
            let mut schema = json!({keyword: [branch, branch], "not": {"const": 7}});
            schema
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let skill = with_schema(schema).unwrap();
            let mut value = json!(7);
            for _ in 0..100 {
                value = json!({"a": value});
            }
            let _ = skill.check_input(&value);
        }
    }
}

/// The last of `length` definitions that refer to the next one applies the whole to what is in the
/// value.
fn chain(length: usize, more: &Value) -> Value {
    // Named backwards, so that the chain is not found from its beginning.
    let name = |at: usize| format!("d{:03}", length - at);
    let mut definitions = Map::new();
    for level in 0..length {
        definitions.insert(
            name(level),
            json!({"$ref": format!("#/$defs/{}", name(level + 1))}),
        );
    }
    definitions.insert(name(length), json!({"properties": {"a": {"$ref": "#"}}}));
    let mut schema = json!({"$defs": definitions, "$ref": format!("#/$defs/{}", name(0))});
    schema
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    schema
}

/// What a schema does without leading to another one counts too, whether it holds or not.
#[test]
fn work_in_leaves_is_counted() {
    let many: Vec<Value> = (0..5000).map(|n| json!({"": n})).collect();
    let names: Vec<String> = (0..5000).map(|n| format!("k{n}")).collect();
    let properties: Map<String, Value> = names
        .iter()
        .map(|name| (name.clone(), json!(true)))
        .collect();
    let patterns: Map<String, Value> = (0..500)
        .map(|n| (format!("^(a|b){{1,30}}{n}$"), json!(true)))
        .collect();
    let objects = json!(vec![json!({"": -1}); 12_000]);
    for (leaf, values) in [
        (json!({"enum": many}), &objects),
        (json!({"required": names}), &objects),
        (json!({"dependentRequired": {"": names}}), &objects),
        (json!({"properties": properties}), &objects),
        (json!({"patternProperties": patterns}), &objects),
        (
            json!({"pattern": "([ab]{0,900}c){4}"}),
            &json!(vec!["ab".repeat(5000); 40]),
        ),
        (
            json!({"allOf": vec![json!({"uniqueItems": true}); 1000]}),
            &json!([many]),
        ),
        (
            json!({"allOf": vec![json!({"maxLength": 1_000_000}); 1000]}),
            &json!(vec!["a".repeat(60_000); 20]),
        ),
    ] {
        let start: String = leaf.to_string().chars().take(60).collect();
        let error = violation(json!({"items": {"anyOf": [leaf, true]}}), values.clone());
        assert!(error.contains("takes too long"), "{error}: {start}");
    }
    // What is honest does not come near.
    let row = json!({"type": "object", "required": ["a", "b"], "properties": {"a": {"enum": ["red", "green", "blue"]},
        "b": {"type": "string", "maxLength": 40, "pattern": "^[a-z0-9-]{1,40}$"}}, "additionalProperties": false});
    let rows = json!(vec![
        json!({"a": "blue", "b": "some-text-0123456789"});
        50_000
    ]);
    with_schema(json!({"type": "array", "items": row}))
        .unwrap()
        .check_input(&rows)
        .unwrap();
}

#[test]
fn a_check_ends_when_its_caller_wishes() {
    let skill = Skill::from_object(
        &json!({"name": "x", "runtime": {"entrypoint": "main.py"}, "files": {"main.py": ""},
            "io": {"output_schema": {"items": {"required": ["a"]}}}}),
        &limits(),
    );
    let stopped = skill.unwrap().check_output(&json!([{"a": 1}]), || true);
    assert_eq!(stopped, Err(CheckError::Stopped));
}

#[test]
fn references_lead_where_they_led_whatever_is_planted() {
    let schema = json!({"$defs": {"a b/%": {"properties": {"x": {"minLength": 2}}}, "named": {"$anchor": "n", "minLength": 3},
            "dynamic": {"$dynamicAnchor": "d", "maxLength": 4}},
        "properties": {
            "x": {"$ref": "#/$defs/a%20b~1%25/properties/x"},
            "y": {"$ref": "#n", "$dynamicRef": "#d"},
            "z": {"dependentRequired": {"p": ["q"]}, "$dynamicRef": "#/properties/w/allOf/0"},
            "w": {"allOf": [{"required": ["r"]}, {"type": "object"}]}}});
    let skill = with_schema(schema).unwrap();
    for (good, bad) in [
        (json!({"x": "ab"}), json!({"x": "a"})),
        (json!({"y": "abc"}), json!({"y": "ab"})),
        (json!({"y": "abcd"}), json!({"y": "abcde"})),
        (
            json!({"z": {"p": 1, "q": 1, "r": 1}}),
            json!({"z": {"p": 1, "r": 1}}),
        ),
        (json!({"z": {"r": 1}}), json!({"z": {}})),
        (json!({"w": {"r": 1}}), json!({"w": {}})),
    ] {
        skill.check_input(&good).unwrap();
        assert!(skill.check_input(&bad).is_err(), "{bad}");
    }
}

#[test]
fn long_chains_do_not_overflow_the_stack() {
    // Through the value: a definition for every level.
    let mut definitions = Map::new();
    for level in 0..500 {
        let next = format!("#/$defs/d{}", level + 1);
        definitions.insert(
            format!("d{level}"),
            json!({"properties": {"a": {"$ref": next}}}),
        );
    }
    definitions.insert("d500".into(), json!(true));
    let skill = with_schema(json!({"$defs": definitions, "$ref": "#/$defs/d0"})).unwrap();
    let mut value = json!(7);
    for _ in 0..120 {
        value = json!({"a": value});
    }
    skill.check_input(&value).unwrap();
    // The longest chain that is allowed, on every level of the deepest value.
    for more in [json!({}), json!({"unevaluatedProperties": false})] {
        let mut deep = json!(7);
        for _ in 0..127 {
            deep = json!({"a": deep});
        }
        let skill = with_schema(chain(61, &more)).unwrap();
        skill.check_input(&deep).unwrap();
        let violation = skill.check_input(&json!({"a": {"a": {"b": 1}}}));
        assert_eq!(
            violation.is_err(),
            more.get("unevaluatedProperties").is_some(),
            "{violation:?}"
        );
        let error = with_schema(chain(64, &more)).unwrap_err().to_string();
        assert!(error.contains("a chain of more than 64"), "{error}");
    }
    let many: Map<String, Value> = (0..2000)
        .map(|n| (format!("p{n}"), json!({"items": true})))
        .collect();
    let error = with_schema(json!({"properties": many}))
        .unwrap_err()
        .to_string();
    assert!(error.contains("at most 1024"), "{error}");
}

#[test]
fn catastrophic_patterns_are_linear() {
    // By backtracking it would take 2^90,000 steps.
    ends(|| {
        let skill = with_schema(json!({"pattern": "^(a+)+$"})).unwrap();
        let value = json!("a".repeat(90_000) + "!");
        assert!(skill.check_input(&value).is_err());
    });
}
