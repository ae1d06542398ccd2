//! What a value has become, with the places of its secrets.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::render::MASK;
use crate::id::Digest;

/// A value whose templates are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// The value, with `***` where a secret belongs.
    pub value: Value,
    /// Where secrets belong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretAt>,
}

/// A text that has secrets in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretAt {
    /// JSON pointer of the text (RFC 6901).
    pub pointer: String,
    /// What the text is made of, in order.
    pub parts: Vec<Part>,
}

/// A part of a text that has secrets in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What stands as it is.
    Text(String),
    /// The secret of this name.
    Secret(String),
}

impl Part {
    /// What may be shown of it.
    pub(super) fn shown(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Secret(_) => MASK,
        }
    }
}

/// A secret that a value needs is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no secret `{name}`")]
pub struct MissingSecret {
    /// Its name.
    pub name: String,
}

impl Rendered {
    /// A value that has neither templates nor secrets.
    pub const fn plain(value: Value) -> Self {
        Self { value, secrets: Vec::new() }
    }

    /// The names of the secrets that it needs, each once.
    pub fn secret_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .secrets
            .iter()
            .flat_map(|at| &at.parts)
            .filter_map(|part| match part {
                Part::Text(_) => None,
                Part::Secret(name) => Some(name.as_str()),
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The value with its secrets, which `secret` gives by name. It must never be kept or logged.
    ///
    /// # Errors
    /// [`MissingSecret`] names the first that `secret` does not have.
    pub fn resolve(self, secret: impl Fn(&str) -> Option<String>) -> Result<Value, MissingSecret> {
        let Self { mut value, secrets } = self;
        for SecretAt { pointer, parts } in secrets {
            let mut text = String::new();
            for part in parts {
                match part {
                    Part::Text(part) => text += &part,
                    Part::Secret(name) => {
                        let found = secret(&name).ok_or(MissingSecret { name })?;
                        text += &found;
                    }
                }
            }
            // Made by `render`, a place is always there; one that is not would hold no secret.
            if let Some(place) = value.pointer_mut(&pointer) {
                *place = Value::String(text);
            }
        }
        Ok(value)
    }

    /// The value's canonical JSON: compact, keys in the order of their bytes.
    pub fn text(&self) -> String {
        canonical(&self.value)
    }

    /// What names this value and the secrets that it needs.
    pub fn digest(&self) -> Digest {
        let whole = serde_json::to_value(self).expect("a rendered value has only string keys");
        Digest::of(canonical(&whole).as_bytes())
    }
}

/// Compact JSON with the keys of each object in the order of their bytes.
fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            *out += &value.to_string();
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                *out += &Value::from(key.as_str()).to_string();
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}
