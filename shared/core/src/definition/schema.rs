//! The JSON Schemas of `SOP.toml` and `workspace.toml`, for editors: made from the tables of keys that are read.
//!
//! They say which keys there are and what each takes. What the parser knows beyond that (whether a condition can be
//! read, whether a policy exists) is not theirs to say.

use serde_json::{Map, Value, json};

use super::choice;
use super::keys::{self, Key, Shape};

const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// The schema of `SOP.toml`.
pub fn sop() -> Value {
    let own: Vec<&Key> = keys::OWN.iter().chain(keys::COMMON).collect();
    json!({
        "$schema": DRAFT,
        "title": "SOP.toml",
        "description": "What a standard operating procedure is called, what starts it and how it runs.",
        "type": "object",
        "additionalProperties": false,
        "required": ["sop"],
        "properties": {
            "sop": table(&own, &["name"]),
            "triggers": { "type": "array", "items": { "oneOf": triggers() } },
        },
    })
}

/// The schema of `workspace.toml`.
pub fn workspace() -> Value {
    let defaults: Vec<&Key> = keys::COMMON.iter().chain([&keys::DEFAULT_POLICY]).collect();
    let named = |keys: &'static [Key], required: &[&str]| {
        json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9._-]{1,64}$" },
            "additionalProperties": table(&keys.iter().collect::<Vec<_>>(), required),
        })
    };
    json!({
        "$schema": DRAFT,
        "title": "workspace.toml",
        "description": "What all standard operating procedures of a workspace share.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "defaults": table(&defaults, &[]),
            "limits": table(&keys::LIMITS.iter().collect::<Vec<_>>(), &[]),
            "groups": named(keys::GROUP, &["members"]),
            "policies": named(keys::POLICY, &[]),
        },
    })
}

fn table(keys: &[&Key], required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let mut table = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    table
}

fn property(key: &Key) -> Value {
    let mut property = shape(key.shape);
    property["description"] = json!(key.about);
    property
}

fn auth() -> Value {
    let mut signed = table(&keys::AUTH.iter().collect::<Vec<_>>(), &["type", "secret"]);
    let name = json!({ "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$" });
    signed["properties"]["secret"] = json!({
        "description": signed["properties"]["secret"]["description"],
        "oneOf": [name, { "type": "array", "items": name, "minItems": 1 }],
    });
    json!({ "oneOf": [{ "type": "string", "enum": choice::names(choice::AUTHS) }, signed] })
}

fn shape(shape: Shape) -> Value {
    match shape {
        Shape::Name => {
            json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" })
        }
        Shape::Text => json!({ "type": "string" }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Number(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Shape::Choice(words) => json!({ "type": "string", "enum": words() }),
        Shape::Duration => json!({ "type": "string", "pattern": "^[0-9]+[smhd]$" }),
        Shape::Schema => json!({ "type": ["object", "boolean", "string"] }),
        Shape::Texts => {
            json!({ "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } })
        }
        Shape::Auth => auth(),
        Shape::Routes => {
            let routes = keys::ROUTES.iter().map(|(name, own)| tagged(name, 1, own));
            json!({ "type": "array", "items": { "oneOf": routes.collect::<Vec<_>>() } })
        }
    }
}

fn triggers() -> Vec<Value> {
    keys::TRIGGERS.iter().map(|(name, required, own)| tagged(name, *required, own)).collect()
}

/// A table with a `type`, of whose other keys the first `required` must be there.
fn tagged(name: &str, required: usize, own: &[Key]) -> Value {
    let needed: Vec<&str> =
        ["type"].into_iter().chain(own.iter().take(required).map(|key| key.name)).collect();
    let mut tagged = table(&own.iter().collect::<Vec<_>>(), &needed);
    tagged["properties"]["type"] = json!({ "const": name });
    tagged
}
