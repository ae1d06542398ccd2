//! Whether a path leads anywhere in the values that a JSON Schema allows.
//!
//! As far as can be told without solving the schema: where it combines, decides or refers elsewhere, any
//! path may lead somewhere.

use serde_json::{Map, Value};

use super::reference::near;
use crate::condition::Segment;

/// What a schema says about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// It is there in each value, as far as the schema tells.
    Present,
    /// Nothing is known.
    Unknown,
    /// It may be missing: why, and what was probably meant.
    Optional(String, Option<String>),
    /// It is in no value: why, and what was probably meant.
    Impossible(String, Option<String>),
}

/// References to references that are followed.
const REFERENCES_MAX: usize = 16;

/// Keywords that say more than can be told here.
const BEYOND: &[&str] =
    &["allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas", "$dynamicRef", "const", "enum"];

/// What `schema` says about `path`.
pub(super) fn shape(schema: &Value, path: &[Segment]) -> Shape {
    let (mut at, mut optional): (_, Option<String>) = (schema, None);
    let unless = |optional: Option<String>, otherwise| match optional {
        Some(reason) => Shape::Optional(reason, None),
        None => otherwise,
    };
    for segment in path {
        let Some(object) = resolved(schema, at) else { return unless(optional, Shape::Unknown) };
        match step(object, segment) {
            Next::Into(next, reason) => {
                at = next;
                optional = optional.or(reason);
            }
            Next::Anything => return unless(optional, Shape::Unknown),
            Next::Undeclared(reason, probable) => return Shape::Optional(reason, probable),
            Next::Nothing(reason, probable) => return Shape::Impossible(reason, probable),
        }
    }
    unless(optional, Shape::Present)
}

/// Where one segment leads.
enum Next<'s> {
    /// To this schema; missing from some values for the reason given.
    Into(&'s Value, Option<String>),
    Anything,
    /// To something that the schema allows and does not speak of.
    Undeclared(String, Option<String>),
    Nothing(String, Option<String>),
}

/// The object that `at`, a part of `root`, stands for, when it is one that can be told from.
fn resolved<'s>(root: &'s Value, mut at: &'s Value) -> Option<&'s Map<String, Value>> {
    for _ in 0..REFERENCES_MAX {
        let object = at.as_object()?;
        if BEYOND.iter().any(|keyword| object.contains_key(*keyword)) {
            return None;
        }
        match object.get("$ref") {
            None => return Some(object),
            // What stands beside a reference counts as well: more than can be told here.
            Some(_) if object.len() > 1 && object.contains_key("properties") => return None,
            Some(reference) => at = root.pointer(reference.as_str()?.strip_prefix('#')?)?,
        }
    }
    None
}

fn step<'s>(schema: &'s Map<String, Value>, segment: &Segment) -> Next<'s> {
    let types = types(schema);
    let may_be = |name: &str| types.as_ref().is_none_or(|types| types.contains(&name));
    let described = |keys: &[&str]| keys.iter().any(|key| schema.contains_key(*key));
    let (key, index) = match segment {
        Segment::Name { key, index } => (Some(&**key), *index),
        Segment::Key(key) => (Some(&**key), None),
        Segment::Index(index) => (None, Some(*index)),
    };
    let as_object = key.filter(|_| may_be("object"));
    let as_array = index.filter(|_| may_be("array"));
    let next = match (as_object, as_array) {
        (Some(key), None) => property(schema, key),
        (None, Some(index)) => item(schema, index),
        // A number may be a key or a position: what the schema describes decides.
        (Some(key), Some(_)) if described(&["properties"]) => property(schema, key),
        (Some(_), Some(index)) if described(&["items", "prefixItems"]) => item(schema, index),
        (Some(_), Some(_)) => Next::Anything,
        (None, None) => {
            let types = types.unwrap_or_default().join(" or ");
            let what = match key {
                Some(key) => format!("key `{key}`"),
                None => "positions".to_owned(),
            };
            return Next::Nothing(format!("it is of type {types}, which has no {what}"), None);
        }
    };
    match next {
        Next::Into(schema, None) if types.is_some_and(|types| types.len() > 1) => {
            Next::Into(schema, Some("it is not always of the type that has this".into()))
        }
        other @ (Next::Into(..) | Next::Anything | Next::Undeclared(..) | Next::Nothing(..)) => {
            other
        }
    }
}

fn types(schema: &Map<String, Value>) -> Option<Vec<&str>> {
    match schema.get("type")? {
        Value::String(one) => Some(vec![one]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

fn property<'s>(schema: &'s Map<String, Value>, key: &str) -> Next<'s> {
    let declared = schema.get("properties").and_then(Value::as_object);
    if let Some(next) = declared.and_then(|declared| declared.get(key)) {
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = required.is_some_and(|list| list.iter().any(|name| name == key));
        let reason = (!is_required).then(|| format!("`{key}` is not among the `required` keys"));
        return Next::Into(next, reason);
    }
    if schema.contains_key("patternProperties") || schema.contains_key("unevaluatedProperties") {
        return Next::Anything;
    }
    let names: Vec<&str> = declared.iter().flat_map(|map| map.keys()).map(String::as_str).collect();
    let probable = near(key, &names).map(str::to_owned);
    match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => {
            Next::Nothing(format!("it has no `{key}`"), probable.or_else(|| listed(&names)))
        }
        Some(more @ Value::Object(_)) => {
            Next::Into(more, Some(format!("`{key}` is not among the `required` keys")))
        }
        _ if names.is_empty() => Next::Anything,
        _ => Next::Undeclared(format!("`{key}` is not among its `properties`"), probable),
    }
}

fn listed(names: &[&str]) -> Option<String> {
    const SHOWN: usize = 8;
    (!names.is_empty() && names.len() <= SHOWN).then(|| names.join("`, `"))
}

fn item(schema: &Map<String, Value>, index: usize) -> Next<'_> {
    let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
    let is_there = u64::try_from(index).is_ok_and(|index| index < least);
    let reason = || (!is_there).then(|| format!("it may have no position {index}"));
    let most = schema.get("maxItems").and_then(Value::as_u64);
    if most.is_some_and(|most| u64::try_from(index).is_ok_and(|index| index >= most)) {
        return Next::Nothing(format!("it never has a position {index}"), None);
    }
    let prefix = schema.get("prefixItems").and_then(Value::as_array);
    if let Some(next) = prefix.and_then(|prefix| prefix.get(index)) {
        return Next::Into(next, reason());
    }
    match schema.get("items") {
        Some(Value::Bool(false)) => Next::Nothing(format!("it never has a position {index}"), None),
        Some(next) => Next::Into(next, reason()),
        None => Next::Anything,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::condition::lexer::Lexer;

    fn told(schema: &Value, path: &str) -> &'static str {
        let segments = Lexer::new(path, "").segments().unwrap();
        match shape(schema, &segments) {
            Shape::Present => "present",
            Shape::Unknown => "unknown",
            Shape::Optional(..) => "optional",
            Shape::Impossible(..) => "impossible",
        }
    }

    #[test]
    fn paths_are_judged_by_what_is_declared() {
        let closed = json!({
            "type": "object",
            "required": ["level", "list", "deep", "either", "same"],
            "additionalProperties": false,
            "properties": {
                "level": {"type": "integer"},
                "note": {"type": "string"},
                "list": {"type": "array", "items": {"type": "object", "properties": {"a": {}}, "required": ["a"]}, "minItems": 1},
                "pair": {"type": "array", "prefixItems": [{}, {}], "items": false},
                "deep": {"type": "object", "required": ["x"], "properties": {"x": {"type": ["object", "null"], "properties": {"y": {}}, "required": ["y"]}}},
                "either": {"anyOf": [{"type": "string"}, {"type": "object"}]},
                "same": {"$ref": "#/$defs/same"},
                "any": true,
            },
            "$defs": {"same": {"type": "object", "properties": {"b": {}}, "required": ["b"], "additionalProperties": false}},
        });
        for (path, expected) in [
            ("", "present"),
            (".level", "present"),
            (".note", "optional"),
            (".leve", "impossible"),
            (".level.x", "impossible"),
            ("[0]", "impossible"),
            (".list[0].a", "present"),
            (".list.0.a", "present"),
            (".list[1].a", "optional"),
            (".list.first", "impossible"),
            (".list[0].b", "optional"),
            (".pair[1]", "optional"),
            (".pair[2]", "impossible"),
            (".deep.x", "present"),
            (".deep.x.y", "optional"),
            (".deep.z", "optional"),
            (".either.x", "unknown"),
            (".same.b", "present"),
            (".same.c", "impossible"),
            (".any.thing", "optional"),
        ] {
            assert_eq!(told(&closed, path), expected, "{path}");
        }
        for (schema, path, expected) in [
            (json!(true), ".a", "unknown"),
            (json!({}), ".a", "unknown"),
            (json!({"type": "object"}), ".a", "unknown"),
            (json!({"type": "object"}), ".0", "unknown"),
            (json!({"$ref": "#"}), ".a", "unknown"),
            (json!({"$ref": "https://a/b"}), ".a", "unknown"),
            (json!({"additionalProperties": false}), ".a", "impossible"),
            (json!({"additionalProperties": {"type": "string"}}), ".a.b", "impossible"),
            (json!({"maxItems": 1, "type": "array"}), "[1]", "impossible"),
            (json!({"type": 7}), ".a", "unknown"),
        ] {
            assert_eq!(told(&schema, path), expected, "{schema} {path}");
        }
    }
}
